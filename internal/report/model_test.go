package report

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// shown is an image as a configuration has it; change changes it.
func shown(name, prompt string, change ...func(*spec.Image)) spec.Image {
	im := spec.Image{Address: spec.Address("image." + name), N: 1, Path: name + ".png", Wanted: spec.Wanted{Provider: "xai", Prompt: prompt}}
	for _, f := range change {
		f(&im)
	}
	return im
}

const cent = provider.Dollar / 100

// bought is the entry of an image with pictures named by texts, the first of
// which is in its file.
func bought(name, file string, pictures ...string) lock.Entry {
	e := lock.Entry{Address: spec.Address("image." + name)}
	e.SetFields([]provider.Field{{Name: "model", Value: "m"}, {Name: "prompt", Value: "of " + strings.Join(pictures, " ")}})
	for _, p := range pictures {
		e.Candidates = append(e.Candidates, provider.Image{Content: digest.OfContent([]byte(p)), Width: 30, Height: 20, Price: 2 * cent})
	}
	of := e.Candidates[0].Content
	e.Outputs = []lock.Output{{Path: file, Content: of, Of: of, Bytes: 1234, Recipe: "format=png"}}
	return e
}

func rendered(e lock.Entry, path, recipe string) lock.Entry {
	e.Outputs = append(e.Outputs, lock.Output{Path: path, Content: digest.OfContent([]byte(path + recipe)), Of: e.Outputs[0].Of, Bytes: 99, Recipe: recipe})
	return e
}

func refused(e lock.Entry, price provider.Money) lock.Entry {
	e.Refused = []lock.Refusal{{Request: digest.Request{1}, Reason: "moderated", Price: price}}
	return e
}

// compiled is the schema that is published.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	c := jsonschema.NewCompiler()
	if err := errors.Join(err, c.AddResource("report.schema.json", doc)); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("report.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// valid holds a model to the schema.
func valid(t *testing.T, schema *jsonschema.Schema, m *Model) {
	t.Helper()
	var b bytes.Buffer
	if err := ModelJSON(&b, m); err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(&b)
	if err == nil {
		err = schema.Validate(v)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	state := func(images []spec.Image, entries ...lock.Entry) State {
		return State{Images: images, Lock: &lock.Lock{Entries: entries}}
	}
	list := func(images ...spec.Image) []spec.Image { return images }
	none := []spec.Image{}
	schema := compiled(t)
	buy := plan.Step{Address: "image.a", Verb: plan.Generate, Need: 1, Price: 2 * cent, Priced: true, Why: []plan.Reason{{Cause: plan.CauseNew}}}
	for _, tt := range []struct {
		name       string
		base, head State
		steps      []plan.Step
		moved      map[spec.Address][]spec.Address
		want       []string // each image as a line, then what it cost
	}{
		{"nothing", state(list(shown("a", "x")), bought("a", "a.png", "1")), state(list(shown("a", "x")), bought("a", "a.png", "1")), nil, nil,
			[]string{"unchanged 1, spent 0.00, to spend 0.00"}},
		{"new and made", state(none), state(list(shown("a", "x")), bought("a", "a.png", "1", "2")), nil, nil,
			[]string{"new image.a a.png spent 0.04", "new 1, spent 0.04, to spend 0.00"}},
		{"new and not made", state(none), state(list(shown("a", "x"))), []plan.Step{buy}, nil,
			[]string{"new image.a: generate", "new 1, pending 1, spent 0.00, to spend 0.02"}},
		{"another prompt, bought", state(list(shown("a", "x")), bought("a", "a.png", "1")), state(list(shown("a", "y")), bought("a", "a.png", "2")), nil, nil,
			[]string{"changed image.a prompt x>y a.png spent 0.02", "changed 1, spent 0.02, to spend 0.00"}},
		{"one more candidate", state(list(shown("a", "x")), bought("a", "a.png", "1")), state(list(shown("a", "x", func(im *spec.Image) { im.N = 2 })), bought("a", "a.png", "1", "2")), nil, nil,
			[]string{"changed image.a n >2 spent 0.02", "changed 1, spent 0.02, to spend 0.00"}},
		{"what was in the base under another address costs nothing", state(list(shown("b", "x")), bought("b", "b.png", "1")), state(list(shown("a", "x")), bought("a", "a.png", "1")), nil, nil,
			[]string{"new image.a a.png", "removed image.b b.png", "new 1, removed 1, deleted 1, spent 0.00, to spend 0.00"}},
		{"moved", state(list(shown("b", "x")), bought("b", "b.png", "1")), state(list(shown("a", "x")), bought("a", "a.png", "1")), nil, map[spec.Address][]spec.Address{"image.a": {"image.c", "image.b"}},
			[]string{"moved image.a from image.b path b.png>a.png a.png b.png", "moved 1, spent 0.00, to spend 0.00"}},
		{"moved by the plan, which is not done", state(list(shown("b", "x")), bought("b", "b.png", "1")), state(list(shown("a", "x")), bought("b", "b.png", "1")),
			[]plan.Step{{Address: "image.a", From: "image.b", Verb: plan.Move}}, nil,
			[]string{"moved image.a from image.b path b.png>a.png: move", "moved 1, pending 1, spent 0.00, to spend 0.00"}},
		{"moved and changed", state(list(shown("b", "x")), bought("b", "b.png", "1")), state(list(shown("a", "y")), bought("a", "a.png", "2")), nil, map[spec.Address][]spec.Address{"image.a": {"image.b"}},
			[]string{"changed image.a from image.b prompt x>y path b.png>a.png a.png b.png spent 0.02", "changed 1, deleted 1, spent 0.02, to spend 0.00"}},
		{"moved from what is still wanted is new", state(list(shown("b", "x")), bought("b", "b.png", "1")), state(list(shown("a", "x"), shown("b", "x")), bought("a", "a.png", "2"), bought("b", "b.png", "1")), nil, map[spec.Address][]spec.Address{"image.a": {"image.b"}},
			[]string{"new image.a a.png spent 0.02", "new 1, unchanged 1, spent 0.02, to spend 0.00"}},
		{"removed", state(list(shown("a", "x")), rendered(bought("a", "a.png", "1"), "a-s.png", "width=3")), state(none), nil, nil,
			[]string{"removed image.a a-s.png a.png", "removed 1, deleted 2, spent 0.00, to spend 0.00"}},
		{"removed and not applied", state(list(shown("a", "x")), bought("a", "a.png", "1")), state(none, bought("a", "a.png", "1")), []plan.Step{{Address: "image.a", Verb: plan.Delete}}, nil,
			[]string{"removed image.a: delete", "removed 1, pending 1, spent 0.00, to spend 0.00"}},
		{"a rendition of another width", state(list(shown("a", "x")), rendered(bought("a", "a.png", "1"), "a-s.png", "format=png width=3")), state(list(shown("a", "x")), rendered(bought("a", "a.png", "1"), "a-s.png", "fit=cover format=png width=4")), nil, nil,
			[]string{"changed image.a a-s.png(width 3>4 fit >cover)", "changed 1, spent 0.00, to spend 0.00"}},
		{"a refusal that was paid for", state(list(shown("a", "x")), bought("a", "a.png", "1")), state(list(shown("a", "x")), refused(bought("a", "a.png", "1"), 2*cent)), []plan.Step{{Address: "image.a", Verb: plan.Refused, Price: 2 * cent, Priced: true}}, nil,
			[]string{"unchanged image.a spent 0.02: refused", "pending 1, unchanged 1, spent 0.02, to spend 0.00"}},
		{"candidates that two share", state(none), state(list(shown("a", "x"), shown("b", "x")), bought("a", "a.png", "1"), bought("b", "b.png", "1")), nil, nil,
			[]string{"new image.a a.png spent 0.02", "new image.b b.png", "new 2, spent 0.02, to spend 0.00"}},
		{"what is sensitive is withheld", state(list(shown("a", "x"))), state(list(shown("a", "secret", func(im *spec.Image) { im.Wanted.Sensitive = []string{"prompt"} }))), nil, nil,
			[]string{"changed image.a prompt ***", "changed 1, spent 0.00, to spend 0.00"}},
		{"a configuration that can't be read", state(nil, bought("a", "a.png", "1"), bought("b", "b.png", "2")), state(list(shown("a", "x")), bought("a", "a.png", "3")), nil, nil,
			[]string{"changed image.a prompt of 1>of 3 a.png spent 0.02", "removed image.b b.png", "changed 1, removed 1, deleted 1, spent 0.02, to spend 0.00"}},
		{"no price is known", state(none), state(list(shown("a", "x"))), []plan.Step{{Address: "image.a", Verb: plan.Generate, Need: 1}}, nil,
			[]string{"new image.a: generate", "new 1, pending 1, unpriced 1, spent 0.00, to spend 0.00"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := Compare(tt.base, tt.head, &plan.Plan{Steps: tt.steps}, tt.moved)
			valid(t, schema, c)
			valid(t, schema, Planned(&plan.Plan{Steps: tt.steps}, tt.head))
			var got []string
			for _, im := range c.Images {
				line := fmt.Sprint(im.Group, " ", im.Address)
				if im.From != "" {
					line += " from " + im.From
				}
				for _, f := range im.Fields {
					if f.Sensitive {
						line += " " + f.Name + " ***" + f.Old + f.New
						continue
					}
					line += fmt.Sprintf(" %s %s>%s", f.Name, f.Old, f.New)
				}
				for _, f := range im.Files {
					line += " " + f.Path
					var recipe []string
					for _, r := range f.Recipe {
						recipe = append(recipe, fmt.Sprintf("%s %s>%s", r.Name, r.Old, r.New))
					}
					if recipe != nil {
						line += "(" + strings.Join(recipe, " ") + ")"
					}
				}
				if im.Spent > 0 {
					line += fmt.Sprintf(" spent %.2f", float64(im.Spent)/float64(provider.Dollar))
				}
				if im.Step != nil {
					line += ": " + string(im.Step.Verb)
				}
				got = append(got, line)
			}
			s, last := c.Summary, ""
			for _, n := range []struct {
				n    int
				what string
			}{{s.New, "new"}, {s.Changed, "changed"}, {s.Moved, "moved"}, {s.Removed, "removed"}, {s.Pending, "pending"}, {s.Unchanged, "unchanged"}, {s.Deleted, "deleted"}, {s.Unpriced, "unpriced"}} {
				if n.n > 0 {
					last += fmt.Sprintf("%s %d, ", n.what, n.n)
				}
			}
			got = append(got, fmt.Sprintf("%sspent %.2f, to spend %.2f", last, float64(s.Spent)/float64(provider.Dollar), float64(s.ToSpend)/float64(provider.Dollar)))
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := compiled(t)
	const summary = `"new": 0, "changed": 0, "moved": 0, "removed": 0, "pending": 0, "unchanged": 0, "files_deleted": 0, "spent": "0.00", "to_spend": "0.00", "unpriced": 0`
	document := func(format, image string) string {
		return `{"format_version": "` + format + `", "kind": "diff", "tool": "", "base": {}, "head": {}, "summary": {` + summary + `}, "images": [` + image + `]}`
	}
	for text, want := range map[string]bool{
		document("1.0", ""): true,
		document("2.0", ""): false,
		document("1.0", `{"address": "image.a", "group": "new", "spent": "0.02"}`):                                                                  true,
		document("1.0", `{"address": "image.a", "group": "other", "spent": "0.02"}`):                                                                false,
		document("1.0", `{"address": "image.a", "group": "new", "spent": 0.02}`):                                                                    false,
		document("1.0", `{"address": "image.a", "group": "new", "spent": "0", "price": 1}`):                                                         false,
		document("1.0", `{"address": "image.a", "group": "new", "spent": "0", "fields": [{"name": "prompt", "sensitive": true}]}`):                  true,
		document("1.0", `{"address": "image.a", "group": "new", "spent": "0", "fields": [{"name": "prompt", "sensitive": true, "new": "secret"}]}`): false,
		document("1.0", `{"address": "image.a", "group": "new", "spent": "0", "fields": [{"name": "prompt"}]}`):                                     false,
		document("1.0", `{"address": "image.a", "group": "new", "spent": "0", "files": [{"path": "a.png"}]}`):                                       false,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What is foreign must not reach the terminal.
func TestModelTextIsClean(t *testing.T) {
	t.Parallel()
	evil := "\x1b[2J\u202eevil\a"
	old := shown("a", "x "+evil, func(im *spec.Image) { im.Alt, im.Path = evil, evil+".png" })
	now := shown("a", "y "+evil+evil, func(im *spec.Image) { im.Alt, im.Path, im.Tags = "", evil+evil+".png", []string{evil} })
	base := State{Name: evil, Commit: "1234", Images: []spec.Image{old}, Lock: &lock.Lock{Entries: []lock.Entry{rendered(bought("a", evil+".png", "1"), "s"+evil, "width="+evil)}}}
	head := State{Images: []spec.Image{now}, Lock: &lock.Lock{Entries: []lock.Entry{rendered(bought("a", evil+evil+".png", "2"), "s"+evil, "width=2"+evil)}}}
	step := plan.Step{Address: "image.a", Verb: plan.Refused, Why: []plan.Reason{{Cause: plan.CauseBadReply, New: evil}}}
	p := &plan.Plan{Steps: []plan.Step{step}, Manifests: []plan.Manifest{{Path: evil}}}
	var b bytes.Buffer
	ModelText(&b, Compare(base, head, p, nil), Options{})
	if text := b.String(); strings.ContainsAny(text, "\x1b\u202e\a") || strings.Count(text, "evil") < 8 {
		t.Errorf("%q", text)
	}
}

func TestApplied(t *testing.T) {
	content := digest.OfContent([]byte("x"))
	before, after := &lock.Lock{}, &lock.Lock{}
	after.Set(lock.Entry{Address: "image.a", Candidates: []provider.Image{{Content: content, Price: 2}}, Outputs: []lock.Output{{Path: "a.png", Content: content, Of: content, Bytes: 1}}})
	images := []spec.Image{{Address: "image.a", N: 1, Path: "a.png"}, {Address: "image.b", N: 1, Path: "b.png"}}
	left := &plan.Plan{Tool: "imgbuild 1.0.0", Steps: []plan.Step{{Address: "image.b", Verb: plan.Generate}}}
	m := Applied(before, State{Images: images, Lock: after}, left, map[spec.Address]Outcome{"image.a": {Kind: apply.Done}, "image.b": {Kind: apply.Failed, Text: "no\x1b[31m", Hint: "wait"}})
	valid(t, compiled(t), m)
	if m.Summary.New != 2 || m.Summary.Spent != 2 || m.Summary.Pending != 1 || m.Base.Broken {
		t.Errorf("summary %+v, base %+v", m.Summary, m.Base)
	}
	var b strings.Builder
	if err := Markdown(&b, m, MarkdownOptions{}); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, "not done: `no") || strings.Contains(text, "\x1b") || strings.Count(text, "not done") != 1 {
		t.Error(text)
	}
}
