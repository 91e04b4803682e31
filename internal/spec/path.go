package spec

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxPath is the length of a path, in bytes.
const MaxPath = 1024

// CheckPath reports why p can't name a file of the repository on every
// platform: it must be a clean, relative slash path inside the root, without
// control characters, names that Windows reserves, or a part of .git or
// .imgbuild. The error is one clause, to stand after "path %q ".
func CheckPath(p string) error {
	if ordinary(p) {
		return nil
	}
	switch {
	case p == "" || p == ".":
		return errors.New("is empty")
	case !utf8.ValidString(p):
		return errors.New("is not valid UTF-8")
	case strings.HasPrefix(p, "/"), len(p) > 1 && p[1] == ':':
		return errors.New("is absolute; it must be relative to the root of the project")
	case strings.Contains(p, `\`):
		return errors.New("contains a backslash; use / between folders")
	case p == ".." || strings.HasPrefix(path.Clean(p), "../") || path.Clean(p) == "..":
		return ErrLeaves
	case path.Clean(p) != p:
		return fmt.Errorf("is not in its shortest form, which is %q", path.Clean(p))
	case len(p) > MaxPath:
		return fmt.Errorf("is longer than %d bytes", MaxPath)
	}
	for _, r := range p {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return fmt.Errorf("contains the invisible character %U", r)
		}
		if strings.ContainsRune(`<>:"|?*`, r) {
			return fmt.Errorf("contains %q, which Windows does not allow in names", r)
		}
	}
	for _, name := range strings.Split(p, "/") {
		switch {
		case len(name) > 255:
			return errors.New("has a name longer than 255 bytes")
		case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
			return fmt.Errorf("has the name %q, which ends in a dot or a space; Windows drops it", name)
		case reserved(name):
			return fmt.Errorf("has the name %q, which Windows reserves", name)
		case slices.Contains(hiddenNames, PathKey(name)):
			return fmt.Errorf("lies inside %s", name)
		}
	}
	return nil
}

// CheckOutput is CheckPath for what is written over or deleted: it must not be
// a file that imgbuild or git reads, either.
func CheckOutput(p string) error {
	if err := CheckPath(p); err != nil {
		return err
	}
	if isOwn(p) {
		return ErrOwn
	}
	return nil
}

// ErrLeaves says that a path has too many "..".
var ErrLeaves = errors.New("leaves the root of the project")

// ErrOwn says that a path is not for outputs.
var ErrOwn = errors.New("is a file of imgbuild itself")

func isOwn(p string) bool {
	switch p[len(p)-1] | 0x20 { // a lock has many paths, and nearly all end otherwise
	case 'n', 'l', 's', 'e':
	default:
		return false
	}
	base := strings.ToLower(path.Base(p))
	switch base {
	case "imgbuild.lock.json", ".gitignore", ".gitattributes", ".gitmodules":
		return true
	}
	for _, end := range []string{".img.hcl", ".img.json", ".imgtest.hcl", ".imgvars", ".imgvars.json"} {
		if strings.HasSuffix(base, end) {
			return true
		}
	}
	return false
}

// ordinary reports whether p is certainly a good path: lower-case names of ASCII
// letters, digits, dashes and underscores of five characters or more, so that
// none is reserved, with one dot or none. It is most paths of a lock, and each
// plan checks all of them.
func ordinary(p string) bool {
	if len(p) > 255 || p == "" {
		return false
	}
	start, dots := 0, 0
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		case c == '.' && i-start > 4 && dots == 0:
			dots++
		case c == '/' && i > start && p[i-1] != '.':
			start, dots = i+1, 0
		default:
			return false
		}
	}
	return len(p)-start > 4 && p[len(p)-1] != '.'
}

// hiddenNames are the keys of folders that hold no output, and of the short
// names that Windows gives to them.
var hiddenNames = []string{".git", "git~1", ".imgbuild", "imgbui~1"}

// reserved reports whether Windows takes a name for a device, whatever follows a
// dot; spaces before that are dropped, and 1 to 3 may be superscripts.
func reserved(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	base = strings.TrimRight(base, " ")
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, ok := strings.CutPrefix(base, "COM")
	if !ok {
		port, ok = strings.CutPrefix(base, "LPT")
	}
	return ok && (len(port) == 1 && port[0] >= '1' && port[0] <= '9' || port == "\u00b9" || port == "\u00b2" || port == "\u00b3")
}

// PathKey is equal for paths that are the same file on a file system which
// ignores case or the Unicode form of names.
func PathKey(p string) string {
	ascii := true
	for i := 0; i < len(p); i++ {
		ascii = ascii && p[i] < utf8.RuneSelf
	}
	if ascii {
		return strings.ToLower(p)
	}
	return norm.NFC.String(strings.ToLower(strings.ToUpper(norm.NFC.String(p))))
}
