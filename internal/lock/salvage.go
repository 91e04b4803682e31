package lock

import (
	"bytes"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/spec"
)

// Salvage takes out of a damaged lockfile the entries that can be read, by the
// layout in which Bytes writes them, and names those that can't. It is for a
// repair that knows what else may be asked; everything else uses Parse.
func Salvage(b []byte) (l *Lock, lost []spec.Address) {
	l = &Lock{}
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	const begin, end = "\n    \"", "\n    }"
	for {
		i := bytes.Index(b, []byte(begin))
		if i < 0 {
			return l, lost
		}
		b = b[i+1:]
		entry := b
		if next := bytes.Index(b, []byte(begin)); next >= 0 {
			entry = b[:next]
		}
		whole := entry
		if line, _, _ := bytes.Cut(entry, []byte("\n")); bytes.HasSuffix(bytes.TrimSuffix(line, []byte(",")), []byte("{}")) {
			whole = bytes.TrimSuffix(line, []byte(","))
		} else if i := bytes.Index(entry, []byte(end)); i >= 0 {
			whole = entry[:i+len(end)]
		}
		text := slices.Concat([]byte("{\"format\": 1, \"images\": {\n"), whole, []byte("\n}}"))
		one, findings := Parse(text)
		if len(findings) == 0 && len(one.Entries) == 1 && l.Get(one.Entries[0].Address) == nil {
			l.Set(one.Entries[0])
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(entry)), `"`), `": {`)
		lost = append(lost, spec.Address(strings.ReplaceAll(name, `\"`, `"`)))
	}
}
