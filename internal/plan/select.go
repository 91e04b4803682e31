package plan

import (
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/spec"
)

// Selection narrows a plan. Each pattern is an address, an address without its
// key (all instances), a module, a path of an output, tag: and a tag, or one of
// these with * for any run of characters.
type Selection struct {
	Target  []string // only these, and what they need
	Exclude []string // not these, and not what needs them
	Replace []string // roll these again
}

// Partial reports whether the plan may leave something out.
func (s Selection) Partial() bool { return len(s.Target)+len(s.Exclude) > 0 }

// Match reports whether a pattern means an image with these output paths.
func Match(pattern string, a spec.Address, paths ...string) bool {
	if glob(pattern, string(a)) || glob(pattern, string(a.Base())) || a.Within(spec.Address(pattern)) {
		return true
	}
	for _, p := range paths {
		if glob(pattern, p) {
			return true
		}
	}
	return false
}

// glob matches * against any run of characters, so that image.post["*"] and
// image.* do what they look like; [ is an ordinary character of an address.
func glob(pattern, s string) bool {
	head, tail, any := strings.Cut(pattern, "*")
	if !any {
		return pattern == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for {
		part, rest, more := strings.Cut(tail, "*")
		if !more {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, tail = s[i+len(part):], rest
	}
}

// MatchImage reports whether a pattern means an image.
func MatchImage(pattern string, im *spec.Image) bool {
	if tag, ok := strings.CutPrefix(pattern, TagPrefix); ok {
		return slices.ContainsFunc(im.Tags, func(t string) bool { return glob(tag, t) })
	}
	return Match(pattern, im.Address, im.Paths()...)
}

// TagPrefix begins a pattern that means tags.
const TagPrefix = "tag:"

func matchAny(patterns []string, used []bool, im *spec.Image) bool {
	hit := false
	for i, p := range patterns {
		if MatchImage(p, im) {
			hit, used[i] = true, true
		}
	}
	return hit
}
