package diag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const file = "image \"hero\" {\n\taspect_ratio = \"5:4\"\n  prompt = \"evil \x1b[31m\"\n}\n"

func at(line, column, b, length int) *Range {
	return &Range{File: "site.img.hcl", Start: Pos{line, column, b}, End: Pos{line, column + length, b + length}}
}

func sample() List {
	l := List{
		{Severity: Error, Code: "IB0501", Address: "image.hero", Text: `image.hero: grok has no aspect ratio "5:4"`, Hint: `the nearest is "4:3"`, Range: at(2, 17, 31, 5)},
		{Severity: Warning, Code: "IB0300", Text: "a warning about everything"},
		{Severity: Error, Code: "IB0100", Text: "prompt is \x1b]0;x\x07", Range: at(3, 12, 48, 6),
			Values: []Value{{"var.a", "is \"1\u202e\""}}, Related: []Related{{*at(1, 1, 0, 5), "first here"}}},
	}
	return append(l, l[0]) // the same twice
}

func TestText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	sample().Text(&b, func(string) []byte { return []byte(file) }, Palette{})
	want := `Error: image.hero: grok has no aspect ratio "5:4" [IB0501]
  site.img.hcl:2:17
   2 │  aspect_ratio = "5:4"
     │                 ^^^^^
  Hint: the nearest is "4:3"

Error: prompt is \x1b]0;x\a [IB0100]
  site.img.hcl:3:12
   3 │   prompt = "evil \x1b[31m"
     │            ^^^^^^
  var.a is "1\u202e"
  site.img.hcl:1:1: first here
   1 │ image "hero" {
     │ ^^^^^

Warning: a warning about everything [IB0300]
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("text (-want +got):\n%s", d)
	}
	b.Reset()
	sample().Text(&b, nil, Palette{On: true})
	if s := b.String(); !strings.Contains(s, "\x1b[31mError:\x1b[0m") || strings.Contains(s, "│") {
		t.Errorf("in colour, without source:\n%s", s)
	}
}

func TestSnippetOfALongLine(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", 5000)
	f := List{{Severity: Error, Text: "x", Range: &Range{File: "f", Start: Pos{1, 3001, 3000}, End: Pos{1, 4001, 4000}}}}
	var b bytes.Buffer
	f.Text(&b, func(string) []byte { return []byte(line) }, Palette{})
	for l := range strings.Lines(b.String()) {
		if len(l) > 1000 {
			t.Errorf("a line of %d bytes", len(l))
		}
	}
	// A range that the file no longer has is not a crash.
	b.Reset()
	f.Text(&b, func(string) []byte { return []byte("short") }, Palette{})
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := sample().JSON(&b); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		FormatVersion string `json:"format_version"`
		Valid         bool   `json:"valid"`
		Errors        int    `json:"error_count"`
		Warnings      int    `json:"warning_count"`
		Diagnostics   []struct{ Code string }
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.FormatVersion != "1.0" || doc.Valid || doc.Errors != 2 || doc.Warnings != 1 || len(doc.Diagnostics) != 3 {
		t.Errorf("%+v", doc)
	}
	b.Reset()
	if err := (List)(nil).JSON(&b); err != nil || !strings.Contains(b.String(), `"diagnostics": []`) || !strings.Contains(b.String(), `"valid": true`) {
		t.Errorf("%s %v", b.String(), err)
	}
}

// Clean must leave nothing that a terminal acts on, whatever comes in.
func FuzzClean(f *testing.F) {
	f.Add("a\x1b[2Jb\r\n\t\u009b\u202e\xff👩‍🚀")
	f.Fuzz(func(t *testing.T, s string) {
		for i, r := range Clean(s) {
			if hostile(r) {
				t.Errorf("Clean(%q) has %U at %d", s, r, i)
			}
		}
	})
}

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"plain ünï 👩‍🚀": "plain ünï 👩‍🚀", "a\nb\tc": `a\nb c`, "\x1b[31m": `\x1b[31m`, "\xff": `\xff`, "\u202e": `\u202e`, "\u200b": `\u200b`} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

// What is wrong with many instances at one place is told once.
func TestTextOfInstances(t *testing.T) {
	t.Parallel()
	at := func(line int) *Range {
		return &Range{File: "a.img.hcl", Start: Pos{Line: line, Column: 1}, End: Pos{Line: line, Column: 2}}
	}
	var l List
	for i := range 8 {
		address := fmt.Sprintf("image.a[\"%d\"]", i)
		l = append(l, Finding{Code: "IB1", Address: address, Text: address + ": is wrong", Range: at(1)})
	}
	l = append(l, Finding{Code: "IB1", Address: "image.b", Text: "image.b: is wrong", Range: at(2)}, Finding{Code: "IB1", Address: "image.b", Text: "image.b: is odd", Range: at(2)})
	var out strings.Builder
	l.Text(&out, func(string) []byte { return nil }, Palette{})
	want := `Error: image.a["0"]: is wrong [IB1]
  a.img.hcl:1:1
  Also: image.a["1"], image.a["2"], image.a["3"], image.a["4"], image.a["5"], 2 more

Error: image.b: is odd [IB1]
  a.img.hcl:2:1

Error: image.b: is wrong [IB1]
  a.img.hcl:2:1
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// Advice that is the same is told once, with the images that it is for and, where
// they stand elsewhere, their lines; other advice of the same code is not.
func TestTextOfAdvice(t *testing.T) {
	t.Parallel()
	advice := func(address, text string, line int) Finding {
		return Finding{Severity: Info, Code: "IB1", Address: address, Text: address + ": " + text, Hint: "h", Range: &Range{File: "a.img.hcl", Start: Pos{Line: line, Column: 1, Byte: line}, End: Pos{Line: line, Column: 2, Byte: line + 1}}}
	}
	l := List{
		advice("image.a", "is dull", 1), advice("image.b", "is dull", 3), advice(`image.a["x"]`, "is dull", 1), advice("image.c", "is grey", 2),
		{Severity: Warning, Code: "IB2", Text: "between", Range: &Range{File: "a.img.hcl", Start: Pos{Line: 2, Column: 1, Byte: 2}}},
		{Severity: Info, Code: "IB3", Text: "of no image"}, {Severity: Info, Code: "IB3", Text: "of no image", Range: &Range{File: "z"}},
	}
	var out strings.Builder
	l.Text(&out, nil, Palette{})
	want := `Info: image.a: is dull [IB1]
  a.img.hcl:1:1
  Hint: h
  Also: image.a["x"], image.b (a.img.hcl:3)

Warning: between [IB2]
  a.img.hcl:2:1

Info: image.c: is grey [IB1]
  a.img.hcl:2:1
  Hint: h

Info: of no image [IB3]
  z

Info: of no image [IB3]
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if l.HasErrors() {
		t.Error("advice is an error")
	}
	var doc, log bytes.Buffer
	if err := l.JSON(&doc); err != nil || !strings.Contains(doc.String(), `"info_count": 6`) || !strings.Contains(doc.String(), `"warning_count": 1`) {
		t.Errorf("%v\n%s", err, doc.String())
	}
	if err := l.SARIF(&log, "", func(string) string { return "" }); err != nil || strings.Count(log.String(), `"level": "note"`) != 6 || strings.Contains(log.String(), `"info"`) {
		t.Errorf("%v\n%s", err, log.String())
	}
}
