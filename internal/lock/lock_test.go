package lock

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

var update = flag.Bool("update", false, "rewrite golden files")

func content(s string) digest.Content { return digest.OfContent([]byte(s)) }
func request(s string) digest.Request { return digest.OfRequest([]byte(s)) }

// sample has every field that the format has.
func sample() *Lock {
	full := Entry{
		Address: `image.post["so\"lst"]`, Request: request("edit"), Pick: 2,
		Candidates: []provider.Image{
			{Content: content("a"), MIME: "image/jpeg", Width: 1344, Height: 768, Bytes: 12345, Price: 200000000, Model: "served", RevisedPrompt: "A <b>long</b> & \u2028 odd\tprompt\x1b[31m"},
			{Content: content("b"), MIME: "image/jpeg", Width: 1344, Height: 768, Bytes: 12346, Price: 200000000},
		},
		Refused: []Refusal{{Request: request("other"), Reason: "moderated", Price: 1, Message: "no \"such\" thing"}},
		Outputs: []Output{
			{Path: "img/a-card.jpg", Content: content("card"), Bytes: 1, Recipe: "fit=cover format=jpeg width=640", Of: content("b"), Encoder: "go/jpeg"},
			{Path: "img/a.png", Content: content("out"), Bytes: 2, Recipe: "format=png", Of: content("b")},
		},
	}
	full.SetFields([]provider.Field{{Name: "provider", Value: "xai"}, {Name: "model", Value: "grok-imagine-image"}, {Name: "prompt", Value: "Line one\nline two — ünï"},
		{Name: "input", Value: content("x").String()}, {Name: "input", Value: content("y").String()}, {Name: "mask", Value: "white " + content("m").String()}})
	refused := Entry{Address: "image.banner", Refused: []Refusal{{Request: request("banner"), Reason: "unusable"}}}
	l := &Lock{}
	l.Set(full)
	l.Set(refused)
	l.Set(Entry{Address: "image.empty"})
	return l
}

func TestGolden(t *testing.T) {
	t.Parallel()
	// The golden file is the promise to repositories that have it committed:
	// a release may read more, but never this less or otherwise.
	const golden = "testdata/format-1.json"
	got := sample().Bytes()
	if *update {
		if err := os.WriteFile(golden, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("lock text (-want +got):\n%s", d)
	}
	if !json.Valid(got) {
		t.Error("the lock is not valid JSON")
	}
	l, findings := Parse(want)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	if d := cmp.Diff(string(want), string(l.Bytes())); d != "" {
		t.Errorf("read and written again (-want +got):\n%s", d)
	}
	e := l.Get(`image.post["so\"lst"]`)
	if e == nil {
		t.Fatal("the entry is not found by its address")
	}
	want2 := sample().Get(e.Address)
	if d := cmp.Diff(want2.Fields(), e.Fields()); d != "" {
		t.Errorf("fields (-want +got):\n%s", d)
	}
	if e.Field("prompt") != "Line one\nline two — ünï" || e.Field("absent") != "" {
		t.Errorf("Field: %q, %q", e.Field("prompt"), e.Field("absent"))
	}
	if e.Digest() != want2.Digest() {
		t.Error("an entry that was read has another digest than the one that was written")
	}
	if e.Outputs[0].Of != content("b") || e.Picked(2).RevisedPrompt != want2.Candidates[0].RevisedPrompt && e.Picked(1).RevisedPrompt != want2.Candidates[0].RevisedPrompt {
		t.Errorf("outputs and candidates do not match: %+v", e)
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	good := string(sample().Bytes())
	entry := `"image.a": {"outputs": {"a.png": {"sha256": "` + content("a").String() + `"}}}`
	tests := []struct{ name, text, want, at string }{
		{"empty", "", "ends too early", "1:1"},
		{"not json", "hello\n", `expected '{', found "hello"`, "1:1"},
		{"cut", good[:len(good)/2], "cut off", ""},
		{"cut at the end", good[:len(good)-3], "ends too early", ""},
		{"newer", `{"format": 2, "images": {}}`, "has format 2; this imgbuild reads format 1", "1:12"},
		{"no format", `{"images": {}}`, "lacks \"format\" or \"images\"", "1:1"},
		{"unknown key", "{\n  \"format\": 1,\n  \"imges\": {}}", `unknown key "imges"`, "3:3"},
		{"twice", "{\"format\": 1, \"images\": {\n" + entry + ",\n" + entry + "}}", `has the image "image.a" twice`, "3:1"},
		{"twice, apart", "{\"format\": 1, \"images\": {\n" + entry + ",\n\"image.0\": {},\n" + entry + "}}", `has the image "image.a" twice`, "4:1"},
		{"key twice", `{"format": 1, "format": 1, "images": {}}`, `has the key "format" twice`, "1:15"},
		{"bad digest", "{\"format\": 1, \"images\": {\"a\": {\n\"request\": \"r1:xyz\"}}}", "is not a request digest", "2:12"},
		{"upper case digest", `{"format": 1, "images": {"a": {"candidates": [{"sha256": "` + strings.ToUpper(content("a").String()) + `"}]}}}`, "is not a SHA-256", ""},
		{"path leaves", `{"format": 1, "images": {"a": {"outputs": {"../x": {"sha256": "` + content("a").String() + `"}}}}}`, `has the output path "../x", which leaves the root`, ""},
		{"path of ours", `{"format": 1, "images": {"a": {"outputs": {"a/site.img.hcl": {"sha256": "` + content("a").String() + `"}}}}}`, `has the output path "a/site.img.hcl", which is a file of imgbuild itself`, ""},
		{"output twice", `{"format": 1, "images": {"a": {"outputs": {"x": {"sha256": "` + content("a").String() + `"}, "x": {}}}}}`, `has the output "x" twice`, ""},
		{"candidate that is not there", `{"format": 1, "images": {"a": {"outputs": {"x": {"sha256": "` + content("a").String() + `", "of": 3}}}}}`, "made from candidate 3, but there are 0", ""},
		{"approval without content", "{\"format\": 1, \"images\": {\"a\": {\n\"approved\": {\"by\": \"jo\"}}}}", "has an approval without content", "2:1"},
		{"approval with more", `{"format": 1, "images": {"a": {"approved": {"content": "` + content("a").String() + `", "at": "noon"}}}}`, `unknown key "at"`, ""},
		{"approval of a request", `{"format": 1, "images": {"a": {"approved": {"content": "` + request("a").String() + `"}}}}`, "is not a SHA-256", ""},
		{"approved twice", `{"format": 1, "images": {"a": {"approved": {"content": "` + content("a").String() + `"}, "approved": {"content": "` + content("a").String() + `"}}}}`, `has the key "approved" twice`, ""},
		{"approval in two lines", `{"format": 1, "images": {"a": {"approved": {"content": "` + content("a").String() + `", "note": "a\nb"}}}}`, "whose note has a character that can't be shown, or more than one line", ""},
		{"approval that moves the cursor", `{"format": 1, "images": {"a": {"approved": {"content": "` + content("a").String() + `", "by": "\u001b[2J"}}}}`, "whose name has a character", ""},
		{"approval that hides", `{"format": 1, "images": {"a": {"approved": {"content": "` + content("a").String() + `", "by": "\u202ejo"}}}}`, "whose name has a character", ""},
		{"approval that is no text", "{\"format\": 1, \"images\": {\"a\": {\"approved\": {\"content\": \"" + content("a").String() + "\", \"by\": \"\xff\"}}}}", "whose name has a character", ""},
		{"approval by many", `{"format": 1, "images": {"a": {"approved": {"content": "` + content("a").String() + `", "by": "` + strings.Repeat("j", MaxBy+1) + `"}}}}`, "whose name has more than 200 bytes", ""},
		{"placeholder that leaves its attribute", `{"format": 1, "images": {"a": {"outputs": {"x": {"sha256": "` + content("a").String() + `", "placeholder": {"color": "red; x: url(y)"}}}}}}`, "has a placeholder whose color is none", ""},
		{"placeholder that is no picture", `{"format": 1, "images": {"a": {"outputs": {"x": {"sha256": "` + content("a").String() + `", "placeholder": {"data": "data:text/html;base64,` + strings.Repeat("A", 40) + `"}}}}}}`, "has a placeholder whose data is none", ""},
		{"placeholder of another kind", `{"format": 1, "images": {"a": {"outputs": {"x": {"sha256": "` + content("a").String() + `", "placeholder": {"blur": ""}}}}}}`, `unknown key "blur"`, ""},
		{"trailing", good + "{}", "has something after its end", ""},
		{"negative", `{"format": 1, "images": {"a": {"pick": -1}}}`, "expected a whole number", ""},
		{"price", `{"format": 1, "images": {"a": {"candidates": [{"sha256": "` + content("a").String() + `", "price": "2 cents"}]}}}`, "is not an amount", ""},
		{"control character", "{\"format\": 1, \"images\": {\"a\x00\": {}}}", "raw control character", ""},
		{"markers", "{\n<<<<<<< HEAD\n  \"format\": 1,\n=======\n>>>>>>> other\n}\n", "has conflict markers", "2:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, findings := Parse([]byte(tt.text))
			if l != nil || len(findings) != 1 {
				t.Fatalf("lock %v, findings %v", l, findings)
			}
			f := findings[0]
			if !strings.Contains(f.Text, tt.want) {
				t.Errorf("text %q, want %q", f.Text, tt.want)
			}
			if f.Hint == "" || f.Range == nil || f.Range.File != File {
				t.Errorf("no hint or no place: %+v", f)
			}
			if at := position(f.Range.Start.Line, f.Range.Start.Column); tt.at != "" && at != tt.at {
				t.Errorf("at %s, want %s", at, tt.at)
			}
		})
	}
}

func TestPlaceholder(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]Placeholder{
		"none":       {},
		"of a lake":  {Color: "#c8e4f6", BlurHash: "LrFs}wRkRQxt?dWYWCn$IBafj[of", ThumbHash: "ZrYNFIRmaYiPd3hzh4RkZ2D3dw==", Data: "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAsAAAAGCAIAAACaUPOv"},
		"of nothing": {Color: "transparent", BlurHash: `L0+,-.:;=?@[]^_{|}~#$%*09AZaz`, ThumbHash: "AAiCA4AAAAAAAAAAAAAAAAAAAAAAAAA=", Data: "data:image/png;base64," + strings.Repeat("+/", 20) + "=="},
	} {
		l := &Lock{Entries: []Entry{{Address: "image.a", Outputs: []Output{{Path: "a.png", Content: content("a"), Bytes: 1, Recipe: "format=png", Placeholder: &p}}}}}
		text := l.Bytes()
		if bytes.Contains(text, []byte("placeholder")) != p.Known() {
			t.Errorf("%s: %s", name, text)
		}
		again, findings := Parse(text)
		if len(findings) > 0 {
			t.Fatalf("%s: %v", name, findings)
		}
		if got := again.Entries[0].Outputs[0].Placeholder; got.Known() != p.Known() || got.Known() && *got != p {
			t.Errorf("%s: %+v, want %+v", name, got, p)
		}
	}
}

func position(line, column int) string {
	return strings.TrimSpace(strings.Join([]string{itoa(line), itoa(column)}, ":"))
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// Every prefix of a lock is a finding, never an empty lock: a torn file must
// not read as "nothing there".
func TestPrefixes(t *testing.T) {
	t.Parallel()
	good := sample().Bytes()
	for n := range len(bytes.TrimRight(good, "\n")) {
		if l, findings := Parse(good[:n]); l != nil || len(findings) == 0 {
			t.Fatalf("the first %d bytes read as a lock of %d entries", n, len(l.Entries))
		}
	}
}

func TestUnsorted(t *testing.T) {
	t.Parallel()
	l, findings := Parse([]byte(`{"format": 1, "images": {"image.b": {}, "image.a": {}}}`))
	if len(findings) > 0 || len(l.Entries) != 2 || l.Entries[0].Address != "image.a" {
		t.Fatalf("%v %v", l, findings)
	}
}

func TestSetRemove(t *testing.T) {
	t.Parallel()
	l := &Lock{}
	for _, a := range []string{"image.c", "image.a", "image.b", "image.a"} {
		l.Set(Entry{Address: addr(a)})
	}
	l.Remove("image.b")
	l.Remove("image.zzz")
	if len(l.Entries) != 2 || l.Entries[0].Address != "image.a" || l.Entries[1].Address != "image.c" || l.Get("image.b") != nil {
		t.Errorf("%+v", l.Entries)
	}
}

// FuzzParse holds that what parses is written and read as the same, that JSON
// which is not valid never parses, and that nothing panics.
func FuzzParse(f *testing.F) {
	f.Add(sample().Bytes())
	f.Add([]byte(`{"format":1,"images":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, findings := Parse(bytes.Clone(b))
		if (l == nil) == (len(findings) == 0) {
			t.Fatal("a lock and findings, or neither")
		}
		if l == nil {
			return
		}
		if !json.Valid(b) {
			t.Fatalf("read what is not JSON: %q", b)
		}
		text := l.Bytes()
		again, findings := Parse(text)
		if len(findings) > 0 {
			t.Fatalf("can't read what was written: %v\n%s", findings, text)
		}
		if !bytes.Equal(again.Bytes(), text) {
			t.Fatal("written twice, not the same")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	l := &Lock{}
	for i := range 10000 {
		e := *sample().Get(`image.post["so\"lst"]`)
		e.Address = addr("image.i" + itoa(i))
		l.Set(e)
	}
	text := l.Bytes()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, f := Parse(text); len(f) > 0 {
			b.Fatal(f)
		}
	}
}

func addr(s string) spec.Address { return spec.Address(s) }

// Of a damaged lockfile every entry that can be read is kept as it was, and
// the others are named.
func TestSalvage(t *testing.T) {
	t.Parallel()
	good := sample()
	text := good.Bytes()
	same := func(l *Lock) (kept int) {
		for i := range l.Entries {
			if e := &l.Entries[i]; good.Get(e.Address) != nil && e.Digest() == good.Get(e.Address).Digest() {
				kept++
			}
		}
		return kept
	}
	if l, lost := Salvage(text); !bytes.Equal(l.Bytes(), text) || len(lost) > 0 {
		t.Errorf("of a sound one: %v", lost)
	}
	if l, lost := Salvage(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))); !bytes.Equal(l.Bytes(), text) || len(lost) > 0 {
		t.Errorf("with the line ends of Windows: %v", lost)
	}
	for n := range text {
		l, lost := Salvage(text[:n])
		whole := bytes.Count(text[:n], []byte("\n    }")) + bytes.Count(text[:n], []byte(": {}"))
		if kept := same(l); kept != whole || len(l.Entries) != whole || len(lost) > 1 {
			t.Fatalf("cut at %d: %d of %d entries, lost %q", n, kept, whole, lost)
		}
		flipped := bytes.Clone(text)
		flipped[n] ^= 4
		l, _ = Salvage(flipped)
		if kept := same(l); kept < len(good.Entries)-2 {
			t.Fatalf("a flip at %d: only %d entries are as they were", n, kept)
		}
	}
	if l, lost := Salvage([]byte("nothing of it")); len(l.Entries)+len(lost) > 0 {
		t.Errorf("of nothing: %v, %v", l.Entries, lost)
	}
}

// A file with hundreds of conflicts is told by its first one.
func TestMarkersAreToldOnce(t *testing.T) {
	t.Parallel()
	const conflict = "<<<<<<< HEAD\na\n||||||| base\nb\n=======\nc\n>>>>>>> theirs\n"
	_, l := Parse([]byte("{\n" + strings.Repeat(conflict, 100)))
	if len(l) != 1 || !Conflicted(l) || l[0].Range.Start.Line != 2 || len(l[0].Related) != 3 {
		t.Errorf("got %d findings: %.300v", len(l), l)
	}
}

// What a picture says of itself is recorded where it says something, and only
// then: locks of pictures that say nothing stay as they are.
func TestMarksOfCandidates(t *testing.T) {
	t.Parallel()
	l := &Lock{}
	l.Set(Entry{Address: "image.a", Request: request("a"), Candidates: []provider.Image{
		{Content: content("a"), C2PA: true, SourceType: "trainedAlgorithmicMedia"}, {Content: content("b"), C2PA: true}, {Content: content("c")}}})
	text := string(l.Bytes())
	if strings.Count(text, `"c2pa": true`) != 2 || strings.Count(text, `"digital_source_type"`) != 1 || strings.Contains(text, "false") {
		t.Error(text)
	}
	got, findings := Parse([]byte(text))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	if d := cmp.Diff(l.Entries[0].Candidates, got.Entries[0].Candidates); d != "" {
		t.Error(d)
	}
	for _, value := range []string{"false", "tru", `"true"`, "1", "truer", "null", ""} {
		if _, findings := Parse([]byte(strings.Replace(text, `"c2pa": true`, `"c2pa": `+value, 1))); len(findings) != 1 {
			t.Errorf("c2pa: %s was read", value)
		}
	}
}

// The texts of a placeholder go into pages: each is what it may be and no more.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	data := "data:image/png;base64,"
	for n, tests := range []map[string]bool{
		{"#0a1b2c": true, "transparent": true, "#0a1b2": false, "#0a1b2cd": false, "#0A1B2C": false, "0a1b2c": false, "": false, "transparent ": false, "#0a1b2c;": false},
		{"LEHV6n": true, "LEHV6": false, strings.Repeat("~", 170): true, strings.Repeat("~", 171): false, "LEHV6\"": false, "LEHV6<": false, "LEHV6'": false, "LEHV6&": false, "LEHV6 n": false, "LEHV6\\": false},
		{"AAAAAAAA": true, "AAAAAAA=": false, "AAAAAAAA==": true, "AAAAAAAA===": false, "AAAA=AAAA": false, strings.Repeat("/", 60): true, strings.Repeat("+", 61): false, "AAAAAAA\"": false},
		{data + strings.Repeat("A", 40): true, data + strings.Repeat("A", 39): false, data + strings.Repeat("A", 400) + "=": true, data + strings.Repeat("A", 401): false,
			strings.Repeat("A", 40): false, "data:text/html;base64," + strings.Repeat("A", 40): false, data + strings.Repeat("A", 40) + "\"": false},
	} {
		for text, want := range tests {
			if got := placeholders[n](text); got != want {
				t.Errorf("%d: %q: %v", n, text, got)
			}
		}
	}
}
