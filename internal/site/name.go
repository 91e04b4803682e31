package site

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
)

// pathOf is the path of a URL, whatever host it names; not ok for one that is no
// path, such as data:.
func pathOf(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 4096 {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.Path == "" || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	return u.Path, true
}

// hostOf is the host of a URL, "" of one without.
func hostOf(s string) string {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

func isData(url string) bool {
	url = strings.TrimSpace(url)
	return len(url) >= 5 && strings.EqualFold(url[:5], "data:")
}

// brief is a URL as it is told: of one that holds a whole picture the beginning.
func brief(url string) string {
	const most = 40
	if !isData(url) || len(url) <= most {
		return url
	}
	return strings.ToValidUTF8(url[:most], "") + "…"
}

// derived reports whether the rest of a name, behind that of an output, is what
// generators of sites put there: nothing, or parts that are sizes, hashes or
// words of theirs, and the end.
func derived(rest string) bool {
	rest = strings.TrimSuffix(rest, path.Ext(rest))
	if rest == "" {
		return true
	}
	if !strings.ContainsRune("-_.@~", rune(rest[0])) {
		return false
	}
	if len(rest) == 9 && vite().MatchString(rest) {
		return true
	}
	for part := range strings.FieldsFuncSeq(rest, func(r rune) bool { return strings.ContainsRune("-_.@~", r) }) {
		if !measure().MatchString(part) && !word().MatchString(part) && !hash(part) {
			return false
		}
	}
	return true
}

// They are compiled when the first site is looked at, not with each start.
var (
	vite    = lazily(`^[-.][a-z0-9_-]*[A-Z][A-Za-z0-9_-]*$`) // with its eight characters in base 64
	measure = lazily(`^(?i:[0-9]+(x[0-9]*|w|h|px|dpi)?|x[0-9]+|[qh][0-9]+|hu[0-9a-f]*)$`)
	// Words of Hugo's processed files, of other generators, and the former ends of files.
	word = lazily(`^(?i:resize|fit|fill|crop|filter|box|lanczos|catmullrom|mitchellnetravali|linear|nearestneighbor|gaussian|hermite|bspline|smart[0-9]*|center|top|bottom|left|right|topleft|topright|bottomleft|bottomright|bg[0-9a-f]+|min|opt|optimized|scaled|thumb|thumbnail|small|medium|large|orig|original|png|jpe?g|webp|avif|gif)$`)
)

func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// hash reports whether a part looks like a hash: six characters or more of which
// some are digits, or that mix cases as no word does.
func hash(part string) bool {
	digits, upper, lower := 0, 0, 0
	for _, c := range part {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'A' && c <= 'Z':
			upper++
		case c >= 'a' && c <= 'z':
			lower++
		default:
			return false
		}
	}
	return len(part) >= 6 && (digits >= 2 || digits > 0 && upper > 0 || upper > 1 && lower > 0 || digits > 0 && len(part) == 8)
}
