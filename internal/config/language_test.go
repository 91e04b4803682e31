package config

import (
	"regexp"
	"strings"
	"testing"
)

// Every block and attribute tells people what it is.
func TestLanguage(t *testing.T) {
	t.Parallel()
	var walk func(path string, list []Block)
	sentence := func(path, text string) {
		if text == "" || strings.HasSuffix(text, ".") || regexp.MustCompile(`^[A-Z][a-z]`).MatchString(text) {
			t.Errorf("%s: %q is no sentence without a capital letter and a full stop", path, text)
		}
	}
	walk = func(path string, list []Block) {
		for _, b := range list {
			path := path + b.Name
			sentence(path, b.Text)
			if len(b.Attributes) == 0 && len(b.Blocks) == 0 && b.Open == "" {
				t.Errorf("%s holds nothing", path)
			}
			for _, a := range b.Attributes {
				sentence(path+"."+a.Name, a.Text)
				if a.Type == "" {
					t.Errorf("%s.%s has no type", path, a.Name)
				}
				if a.Required && a.Default != "" {
					t.Errorf("%s.%s is required and has a default", path, a.Name)
				}
			}
			walk(path+".", b.Blocks)
		}
	}
	walk("", Language())
}
