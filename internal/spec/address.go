package spec

import "strings"

// Address names an image: image.hero, image.card["dark"], or one of a module:
// module.blog.image.hero, module.icons["a"].module.b.image.c["k"].
type Address string

// Split takes an address apart: the modules on the way, which end in a dot
// where there are any, the name of the image and its key as it is quoted.
// image.card["dark"] is "", "card", `"dark"`.
func (a Address) Split() (modules, name, key string) {
	rest := string(a)
	for strings.HasPrefix(rest, "module.") {
		end := stepEnd(rest, len("module."))
		if end == len(rest) {
			return string(a), "", ""
		}
		rest = rest[end+1:]
	}
	modules = string(a)[:len(a)-len(rest)]
	rest = strings.TrimPrefix(rest, "image.")
	if name, key, ok := strings.Cut(rest, "["); ok {
		return modules, name, strings.TrimSuffix(key, "]")
	}
	return modules, rest, ""
}

// Base is the address without its own key: that of all instances.
func (a Address) Base() Address {
	modules, name, key := a.Split()
	if key == "" {
		return a
	}
	return Address(modules + "image." + name)
}

// Keyless is the address without any keys: that of a block in the files.
func (a Address) Keyless() Address {
	if !strings.Contains(string(a), "[") {
		return a
	}
	out := make([]byte, 0, len(a))
	quoted, inside := false, false
	for i := 0; i < len(a); i++ {
		switch c := a[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == ']':
			inside = c == '['
		case !inside:
			out = append(out, c)
		}
	}
	return Address(out)
}

// Within reports whether a is what other names or is inside it: an instance of
// an image, or whatever is in a module or in an instance of one.
func (a Address) Within(other Address) bool {
	rest, ok := strings.CutPrefix(string(a), string(other))
	return ok && (rest == "" || rest[0] == '[' || rest[0] == '.' && strings.HasPrefix(string(other), "module."))
}

// stepEnd is where the step of an address ends that begins at i: at a dot
// outside a key, or at the end.
func stepEnd(s string, i int) int {
	quoted := false
	for ; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '.' && !quoted:
			return i
		}
	}
	return len(s)
}
