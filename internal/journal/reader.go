package journal

import (
	"bytes"
	"encoding"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/imgbuild/imgbuild/internal/provider"
)

// decode is json.Unmarshal, several times faster for what was written by
// json.Marshal: recovery reads each record of the journal.
func (r *Record) decode(body []byte) error {
	var fast Record
	if in := (reader{rest: body}); in.record(&fast) {
		*r = fast
		return nil
	}
	return json.Unmarshal(body, r)
}

// reader reads an object as json.Marshal writes it: names in the order of the
// struct, without spaces. It gives up on all else, and what it took is no more
// than json.Unmarshal takes.
type reader struct {
	rest  []byte
	begun bool // the object has a name already
	odd   bool
}

func (in *reader) record(r *Record) bool {
	in.begin()
	in.string("type", (*string)(&r.Type))
	in.string("attempt", &r.Attempt)
	if in.has("intent") {
		r.Intent = &Intent{}
		in.intent(r.Intent)
	}
	in.string("job", &r.JobID)
	if in.has("delivery") {
		r.Delivery = &Delivery{}
		in.delivery(r.Delivery)
	}
	in.string("reason", &r.Reason)
	in.text("price", &r.Price)
	in.end() // what has files or a number to keep is left to package json
	return !in.odd && len(in.rest) == 0
}

func (in *reader) intent(i *Intent) {
	in.begin()
	in.string("address", &i.Address)
	in.text("request", &i.Request)
	in.list("fields", func() {
		var f provider.Field
		in.begin()
		in.string("Name", &f.Name)
		in.string("Value", &f.Value)
		in.end()
		i.Fields = append(i.Fields, f)
	})
	in.string("provider", &i.Provider)
	in.int("n", &i.N)
	in.int("first", &i.First)
	in.text("estimate", &i.Estimate)
	in.string("run", &i.Run)
	in.list("budgets", func() { i.Budgets = append(i.Budgets, in.quoted()) })
	in.string("endpoint", &i.Endpoint)
	in.text("started", &i.Started)
	in.end()
}

func (in *reader) delivery(d *Delivery) {
	in.begin()
	in.int("index", &d.Index)
	in.string("url", &d.URL)
	in.string("mime", &d.MIME)
	in.string("model", &d.Model)
	in.string("revised_prompt", &d.RevisedPrompt)
	d.Moderated = in.has("moderated")
	if d.Moderated {
		in.take("true")
	}
	in.text("price", &d.Price)
	in.text("sha256", &d.Content)
	in.int("width", &d.Width)
	in.int("height", &d.Height)
	var bytes int
	in.int("bytes", &bytes)
	d.Bytes = int64(bytes)
	if d.C2PA = in.has("c2pa"); d.C2PA {
		in.take("true")
	}
	in.string("digital_source_type", &d.SourceType)
	in.end()
}

func (in *reader) begin() {
	in.take("{")
	in.begun = false
}

func (in *reader) end() {
	in.take("}")
	in.begun = true // the object that this one stands in
}

func (in *reader) take(text string) {
	rest, ok := bytes.CutPrefix(in.rest, []byte(text))
	in.rest, in.odd = rest, in.odd || !ok
}

// has takes a name, if it is the next.
func (in *reader) has(name string) bool {
	rest := in.rest
	if in.begun {
		if len(rest) == 0 || rest[0] != ',' {
			return false
		}
		rest = rest[1:]
	}
	n := len(name)
	if len(rest) < n+3 || rest[0] != '"' || string(rest[1:n+1]) != name || rest[n+1] != '"' || rest[n+2] != ':' {
		return false
	}
	in.rest, in.begun = rest[n+3:], true
	return true
}

func (in *reader) string(name string, to *string) {
	if in.has(name) {
		*to = in.quoted()
	}
}

// quoted takes a text.
func (in *reader) quoted() string {
	in.take(`"`)
	plain := true
	for i := 0; i < len(in.rest) && !in.odd; i++ {
		switch c := in.rest[i]; {
		case c == '"':
			text := in.rest[:i]
			in.rest = in.rest[i+1:]
			if plain && utf8.Valid(text) {
				return string(text)
			}
			var s string
			quoted := append(append(append(make([]byte, 0, len(text)+2), '"'), text...), '"')
			in.odd = json.Unmarshal(quoted, &s) != nil
			return s
		case c == '\\':
			plain = false
			i++
		case c < ' ':
			in.odd = true
		}
	}
	in.odd = true
	return ""
}

// text takes a value that is written as text.
func (in *reader) text(name string, to encoding.TextUnmarshaler) {
	if in.has(name) && to.UnmarshalText([]byte(in.quoted())) != nil {
		in.odd = true
	}
}

func (in *reader) int(name string, to *int) {
	if !in.has(name) {
		return
	}
	i := 0
	for i < len(in.rest) && (in.rest[i] >= '0' && in.rest[i] <= '9' || i == 0 && in.rest[i] == '-') {
		i++
	}
	n, err := strconv.Atoi(string(in.rest[:i]))
	if err != nil || strconv.Itoa(n) != string(in.rest[:i]) { // as 007 is not written
		in.odd = true
	}
	*to, in.rest = n, in.rest[i:]
}

func (in *reader) list(name string, one func()) {
	if !in.has(name) {
		return
	}
	for in.take("["); !in.odd; in.take(",") {
		if one(); bytes.HasPrefix(in.rest, []byte("]")) {
			break
		}
	}
	in.take("]")
	in.begun = true
}
