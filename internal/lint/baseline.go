package lint

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
)

// Baseline is the findings that a project had when it began to lint: they are
// not told. It knows them by code, image (or file) and a digest of the offending
// text, so that they may move, and are told again when the text changes.
type Baseline struct {
	Path string
	keys map[key]bool
}

type key struct {
	Code   string `json:"code"`
	Of     string `json:"of"`             // address, or file
	Digest string `json:"text,omitempty"` // of the offending text, "" if something is missing
}

func (f *Found) key() key {
	k := key{Code: f.Code, Of: f.Address}
	if k.Of == "" && f.Range != nil {
		k.Of = f.Range.File
	}
	if f.Subject != "" {
		sum := digest.OfContent([]byte(f.Subject))
		k.Digest = hex.EncodeToString(sum[:8])
	}
	return k
}

const (
	baselineHead = `{"format_version": "1.0", "findings": [`
	baselineTail = `]}`
	maxBaseline  = 1 << 20 // findings
)

// ParseBaseline reads what Write wrote.
func ParseBaseline(path string, b []byte) (*Baseline, diag.List) {
	var doc struct {
		FormatVersion string `json:"format_version"`
		Findings      []key  `json:"findings"`
	}
	wrong := func(hint, format string, args ...any) (*Baseline, diag.List) {
		return nil, diag.List{{Severity: diag.Error, Code: codeBaseline, Text: path + ": " + fmt.Sprintf(format, args...), Hint: hint, Range: &diag.Range{File: path}}}
	}
	const anew = "write it anew: imgbuild lint -write-baseline"
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&doc); err != nil {
		return wrong("settle it if git left conflict markers, or "+anew, "it is no baseline: %v", err)
	}
	if major, _, _ := strings.Cut(doc.FormatVersion, "."); major != "1" {
		return wrong(anew, "it has format_version %q, and this imgbuild reads 1.x", doc.FormatVersion)
	}
	if len(doc.Findings) > maxBaseline {
		return wrong(anew, "it has more than %d findings", maxBaseline)
	}
	out := &Baseline{Path: path, keys: make(map[key]bool, len(doc.Findings))}
	for _, k := range doc.Findings {
		out.keys[k] = true
	}
	return out, nil
}

// WriteBaseline is a baseline of findings: sorted, a line for each, so that git
// merges it.
func WriteBaseline(found []Found) (text []byte, n int) {
	var keys []key
	for i := range found {
		if Lookup(found[i].Code) != nil {
			keys = append(keys, found[i].key())
		}
	}
	slices.SortFunc(keys, compareKeys)
	keys = slices.Compact(keys)
	var b bytes.Buffer
	b.WriteString(baselineHead + "\n")
	for i, k := range keys {
		line, _ := json.Marshal(k) // three texts
		b.Write(line)
		if i+1 < len(keys) {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString(baselineTail + "\n")
	return b.Bytes(), len(keys)
}

func compareKeys(a, b key) int {
	return strings.Compare(a.Code+"\x00"+a.Of+"\x00"+a.Digest, b.Code+"\x00"+b.Of+"\x00"+b.Digest)
}

// apply leaves out what the baseline has, and tells what it has for nothing.
func (b *Baseline) apply(r *run, found []Found, out *Result) (kept []Found) {
	used := map[key]bool{}
	for _, f := range found {
		if k := f.key(); b.keys[k] {
			used[k] = true
			out.Baselined++
		} else {
			kept = append(kept, f)
		}
	}
	if r.Partial {
		return kept
	}
	var gone []key
	for k := range b.keys {
		if !used[k] && (Lookup(k.Code) == nil || r.severity[k.Code] != "") {
			gone = append(gone, k)
		}
	}
	if len(gone) == 0 {
		return kept
	}
	slices.SortFunc(gone, compareKeys)
	text := fmt.Sprintf("%s: %s of %s is gone", b.Path, diag.Clean(gone[0].Code), diag.Clean(gone[0].Of))
	if n := len(gone) - 1; n > 0 {
		text = fmt.Sprintf("%s: %s of %s and %d more of its findings are gone", b.Path, diag.Clean(gone[0].Code), diag.Clean(gone[0].Of), n)
	}
	return append(kept, Found{Finding: diag.Finding{Severity: diag.Info, Code: codeRemovable, Text: text, Hint: "imgbuild lint -write-baseline removes what is gone", Range: &diag.Range{File: b.Path}}})
}
