package lock

import (
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// File is the name of the lockfile in the root of a project.
const File = "imgbuild.lock.json"

// Format is the version of the file that this package writes.
const Format = 1

// Lock is what a lockfile says. The zero value is an empty one.
type Lock struct {
	Entries []Entry // sorted by address, each once
}

// Entry is what is recorded of one image.
type Entry struct {
	Address spec.Address
	Request digest.Request // of the candidates; zero if there are none
	fields  fields
	// Candidates are all images bought for the request, in the order of their
	// index; Pick is the one chosen outside the configuration, from 1, or 0.
	Candidates []provider.Image
	Pick       int
	Refused    []Refusal
	Outputs    []Output // sorted by path
	// Approved is the last approval that somebody gave, nil if there is none. It
	// stays when another picture is bought or picked, and then is of none that is
	// in use.
	Approved *Approval
}

// Output is a file that we wrote.
type Output struct {
	Path    string // slash path from the root
	Content digest.Content
	Bytes   int64
	Recipe  string         // see package spec
	Of      digest.Content // the candidate that it was made from
	Encoder string         // for people; not compared
	// Placeholder is what a page can show before the picture is there, of the main
	// output of an image that asks for one; nil if there is none.
	Placeholder *Placeholder
}

// Placeholder is what package imaging makes of that name.
type Placeholder struct{ Color, BlurHash, ThumbHash, Data string }

// Known reports whether there is one.
func (p *Placeholder) Known() bool { return p != nil && *p != Placeholder{} }

// placeholders are what each of its texts may be: they go into pages, and the
// lockfile is one that anybody can have changed. Regular expressions that count
// to hundreds would take longer to make than all else that a start does.
var placeholders = [...]func(string) bool{
	func(s string) bool {
		hex, ok := strings.CutPrefix(s, "#")
		return ok && len(hex) == 6 && only(hex, "0123456789abcdef") || s == "transparent"
	},
	func(s string) bool {
		return len(s) >= 6 && len(s) <= 170 && only(s, alphanumeric+"#$%*+,-.:;=?@[]^_{|}~")
	},
	func(s string) bool { return base64(s, 8, 60) },
	func(s string) bool {
		b, ok := strings.CutPrefix(s, "data:image/png;base64,")
		return ok && base64(b, 40, 400)
	},
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func only(s, letters string) bool { return strings.Trim(s, letters) == "" }

// base64 reports whether s is such a text of so many letters, and at most two
// that fill it up.
func base64(s string, least, most int) bool {
	letters := strings.TrimRight(s, "=")
	return len(s)-len(letters) <= 2 && len(letters) >= least && len(letters) <= most && only(letters, alphanumeric+"+/")
}

// Refusal is a paid reply that can't be used. It is not bought again until its
// request changes or somebody asks.
type Refusal struct {
	Request digest.Request
	Reason  string // "moderated", "unusable", Unfit
	Message string // the provider's, or that of the postcondition
	Price   provider.Money
}

// Unfit is the reason of a refusal by a postcondition, while an older picture
// stays in use: the reply itself is sound, and its bytes are in the store.
const Unfit = "postcondition"

// fields are the resolved fields of a request: either taken apart, or the text
// of the JSON object they were read from.
type fields struct {
	list []provider.Field
	raw  string
}

// Fields are the resolved, non-secret fields of the request, as
// provider.Request.Fields lists them. They are taken apart at each call: a
// plan with nothing to do never needs them, and they would double its memory.
func (e *Entry) Fields() []provider.Field {
	if e.fields.list != nil || e.fields.raw == "" {
		return e.fields.list
	}
	s := scanner{text: e.fields.raw}
	return s.fieldList()
}

// SetFields replaces the fields.
func (e *Entry) SetFields(list []provider.Field) { e.fields = fields{list: list} }

// Field is the first value with that name, or "".
func (e *Entry) Field(name string) (value string) {
	if e.fields.list != nil || e.fields.raw == "" {
		for _, f := range e.fields.list {
			if f.Name == name {
				return f.Value
			}
		}
		return ""
	}
	s := scanner{text: e.fields.raw}
	s.eachField(func(f provider.Field) {
		if f.Name == name && value == "" {
			value = f.Value
		}
	})
	return value
}

// Output is the entry's output at path, or nil.
func (e *Entry) Output(path string) *Output {
	for i := range e.Outputs {
		if e.Outputs[i].Path == path {
			return &e.Outputs[i]
		}
	}
	return nil
}

// Picked is the candidate that pick (from 1) names, nil if there is none.
func (e *Entry) Picked(pick int) *provider.Image {
	if pick < 1 || pick > len(e.Candidates) {
		return nil
	}
	return &e.Candidates[pick-1]
}

func (l *Lock) find(a spec.Address) (int, bool) {
	return slices.BinarySearchFunc(l.Entries, a, func(e Entry, a spec.Address) int {
		return strings.Compare(string(e.Address), string(a))
	})
}

// Get is the entry of an address, or nil. The pointer is good until the next
// Set or Remove.
func (l *Lock) Get(a spec.Address) *Entry {
	if i, ok := l.find(a); ok {
		return &l.Entries[i]
	}
	return nil
}

// Set adds or replaces an entry.
func (l *Lock) Set(e Entry) {
	slices.SortFunc(e.Outputs, func(a, b Output) int { return strings.Compare(a.Path, b.Path) })
	i, ok := l.find(e.Address)
	if ok {
		l.Entries[i] = e
		return
	}
	l.Entries = slices.Insert(l.Entries, i, e)
}

// Remove forgets an address.
func (l *Lock) Remove(a spec.Address) {
	if i, ok := l.find(a); ok {
		l.Entries = slices.Delete(l.Entries, i, i+1)
	}
}

// Digest names the text of an entry, or is zero for nil: the precondition of a
// step. An approval decides nothing that a step does, so it is left out: one that
// is given between plan and apply makes no step stale.
func (e *Entry) Digest() digest.Content {
	if e == nil {
		return digest.Content{}
	}
	x := *e
	x.Approved = nil
	return digest.OfContent(x.append(nil))
}
