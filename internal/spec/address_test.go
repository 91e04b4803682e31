package spec

import "testing"

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ address, modules, name, key, base string }{
		{"image.hero", "", "hero", "", "image.hero"},
		{`image.card["dark"]`, "", "card", `"dark"`, "image.card"},
		{`image.card["a.image.b[0]"]`, "", "card", `"a.image.b[0]"`, "image.card"},
		{"module.blog.image.hero", "module.blog.", "hero", "", "module.blog.image.hero"},
		{`module.blog["x.image.y\"]."].module.b.image.hero["k"]`, `module.blog["x.image.y\"]."].module.b.`, "hero", `"k"`, `module.blog["x.image.y\"]."].module.b.image.hero`},
	} {
		modules, name, key := Address(c.address).Split()
		if modules != c.modules || name != c.name || key != c.key {
			t.Errorf("%s: %q, %q, %q", c.address, modules, name, key)
		}
		if base := Address(c.address).Base(); base != Address(c.base) {
			t.Errorf("%s: base %s", c.address, base)
		}
	}
	for address, want := range map[string]string{
		"image.a":           "image.a",
		`image.a["]\"[.x"]`: "image.a",
		`module.blog["x.image.y\"]."].module.b.image.hero["k"]`: "module.blog.module.b.image.hero",
	} {
		if got := Address(address).Keyless(); got != Address(want) {
			t.Errorf("%s: keyless %s", address, got)
		}
	}
	for _, c := range []struct {
		address, other string
		want           bool
	}{
		{"image.a", "image.a", true},
		{`image.a["k"]`, "image.a", true},
		{"image.ab", "image.a", false},
		{"image.a", `image.a["k"]`, false},
		{"module.m.image.a", "module.m", true},
		{`module.m["k"].image.a`, "module.m", true},
		{`module.m["k"].image.a`, `module.m["k"]`, true},
		{"module.mm.image.a", "module.m", false},
	} {
		if got := Address(c.address).Within(Address(c.other)); got != c.want {
			t.Errorf("%s within %s: %v", c.address, c.other, got)
		}
	}
}
