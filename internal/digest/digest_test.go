package digest

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	t.Parallel()
	c, r := OfContent([]byte("hello\n")), OfRequest([]byte("request v1\n"))
	if got := c.String(); got != "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03" { // sha256sum
		t.Errorf("content %s", got)
	}
	if back, err := ParseContent(c.String()); back != c || err != nil {
		t.Errorf("%v %v", back, err)
	}
	if back, err := ParseRequest(r.String()); back != r || err != nil {
		t.Errorf("%v %v", back, err)
	}
	for _, bad := range []string{"", "r1:", c.String()[1:], c.String() + "0", strings.ToUpper(c.String()), strings.Replace(c.String(), "5", "g", 1), "r1:" + c.String()[2:] + "é"} {
		if _, err := ParseContent(bad); err == nil {
			t.Errorf("ParseContent(%q) is no error", bad)
		}
		if _, err := ParseRequest(bad); err == nil {
			t.Errorf("ParseRequest(%q) is no error", bad)
		}
	}
	if _, err := ParseRequest(c.String()); err == nil {
		t.Error("a content passes for a request")
	}
	if _, err := ParseContent(r.String()); err == nil {
		t.Error("a request passes for a content")
	}
}

func TestZero(t *testing.T) {
	t.Parallel()
	var c Content
	var r Request
	if b, _ := c.MarshalText(); len(b) != 0 || !c.IsZero() || c.UnmarshalText(nil) != nil {
		t.Error("the zero content has a text")
	}
	if b, _ := r.MarshalText(); len(b) != 0 || !r.IsZero() || r.UnmarshalText(nil) != nil {
		t.Error("the zero request has a text")
	}
	if err := c.UnmarshalText([]byte("x")); err == nil {
		t.Error("x is a content")
	}
}
