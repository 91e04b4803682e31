package report

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Recorded is a lock entry as programs see it.
type Recorded struct {
	Address    string            `json:"address"`
	Request    string            `json:"request,omitempty"`
	Fields     map[string]any    `json:"fields,omitempty"`
	Candidates []provider.Image  `json:"candidates,omitempty"`
	Pick       int               `json:"pick,omitempty"`
	Refused    []RecordedRefusal `json:"refused,omitempty"`
	Outputs    []RecordedOutput  `json:"outputs,omitempty"`
	Approved   *RecordedApproval `json:"approved,omitempty"`
	Paid       provider.Money    `json:"paid"`
	list       []provider.Field
}

// RecordedApproval is what somebody said yes to: good for the candidate of that
// content alone.
type RecordedApproval struct {
	SHA256 string `json:"sha256"`
	By     string `json:"by,omitempty"`
	Note   string `json:"note,omitempty"`
}

// text is the approval in a line.
func (a *RecordedApproval) text(candidates []provider.Image) string {
	what := "a picture that is no candidate any more"
	for i := range candidates {
		if candidates[i].Content.String() == a.SHA256 {
			what = fmt.Sprintf("candidate %d", i+1)
		}
	}
	if a.By != "" {
		what += ", by " + diag.Clean(a.By)
	}
	if a.Note != "" {
		what += ": " + diag.Clean(a.Note)
	}
	return what
}

// RecordedOutput is one file of a lock entry.
type RecordedOutput struct {
	Path    string `json:"path"`
	SHA256  string `json:"sha256"`
	Bytes   int64  `json:"bytes"`
	Recipe  string `json:"recipe,omitempty"`
	Of      string `json:"of,omitempty"`
	Encoder string `json:"encoder,omitempty"`

	Placeholder *RecordedPlaceholder `json:"placeholder,omitempty"` // of a main output that has one
	Label       *RecordedLabel       `json:"label,omitempty"`       // none if the file could not be looked at
}

// RecordedPlaceholder is what a page can show before the picture is there.
type RecordedPlaceholder struct {
	Color     string `json:"color"`
	BlurHash  string `json:"blurhash"`
	ThumbHash string `json:"thumbhash"`
	Data      string `json:"data"`
}

// RecordedLabel is what a file on disk says of itself.
type RecordedLabel struct {
	SourceType string `json:"digital_source_type,omitempty"` // these are in XMP
	Credit     string `json:"credit,omitempty"`
	License    string `json:"license,omitempty"`
	Alt        string `json:"alt,omitempty"`
	Caption    string `json:"caption,omitempty"`
	C2PA       bool   `json:"c2pa,omitempty"` // it has Content Credentials
}

// text is the label in a line, "" for one that says nothing.
func (l *RecordedLabel) text() string {
	var parts []string
	if l.SourceType != "" {
		parts = append(parts, diag.Clean(l.SourceType))
	}
	if l.C2PA {
		parts = append(parts, "Content Credentials (C2PA)")
	}
	for _, p := range [][2]string{{"alt", l.Alt}, {"caption", l.Caption}, {"credit", l.Credit}, {"license", l.License}} {
		if p[1] != "" {
			parts = append(parts, p[0]+" "+strconv.Quote(diag.Clean(p[1])))
		}
	}
	return strings.Join(parts, ", ")
}

// RecordedRefusal is one unusable reply of a lock entry.
type RecordedRefusal struct {
	Request string         `json:"request"`
	Reason  string         `json:"reason"`
	Message string         `json:"message,omitempty"`
	Price   provider.Money `json:"price"`
}

// Record is a lock entry, for Records and for JSON.
func Record(e *lock.Entry) Recorded {
	r := Recorded{Address: string(e.Address), Candidates: e.Candidates, Pick: e.Pick, Fields: map[string]any{}, list: e.Fields()}
	if !e.Request.IsZero() {
		r.Request = e.Request.String()
	}
	for _, f := range r.list {
		if f.Name == "input" {
			inputs, _ := r.Fields["input"].([]string)
			r.Fields["input"] = append(inputs, f.Value)
			continue
		}
		r.Fields[f.Name] = f.Value
	}
	for _, c := range e.Candidates {
		r.Paid += c.Price
	}
	if a := e.Approved; a != nil {
		r.Approved = &RecordedApproval{a.Content.String(), a.By, a.Note}
	}
	for _, x := range e.Refused {
		r.Paid += x.Price
		r.Refused = append(r.Refused, RecordedRefusal{x.Request.String(), x.Reason, x.Message, x.Price})
	}
	for _, o := range e.Outputs {
		of := ""
		if !o.Of.IsZero() {
			of = o.Of.String()
		}
		out := RecordedOutput{Path: o.Path, SHA256: o.Content.String(), Bytes: o.Bytes, Recipe: o.Recipe, Of: of, Encoder: o.Encoder}
		if o.Placeholder.Known() {
			p := RecordedPlaceholder(*o.Placeholder)
			out.Placeholder = &p
		}
		r.Outputs = append(r.Outputs, out)
	}
	return r
}

// Records writes lock entries for people.
func Records(w io.Writer, list []Recorded, o Options) {
	c := o.Palette
	for i, r := range list {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s  %s\n", c.Bold(diag.Clean(r.Address)), c.Dim("paid "+Money(r.Paid)))
		for _, f := range r.list {
			fmt.Fprintf(w, "  %-13s %s\n", f.Name, diag.Clean(f.Value))
		}
		for k, x := range r.Candidates {
			mark, from := " ", Money(x.Price)
			if x.Model == plan.ImportedModel {
				from = x.Model
			}
			if len(r.Outputs) > 0 && r.Outputs[0].Of == x.Content.String() {
				mark = "*"
			}
			fmt.Fprintf(w, "  candidate %d%s %dx%d %s %s  %s\n", k+1, mark, x.Width, x.Height, x.MIME, from,
				c.Dim(".imgbuild/store/sha256/"+x.Content.String()[:2]+"/"+x.Content.String()))
			if x.RevisedPrompt != "" {
				fmt.Fprintf(w, "    revised prompt: %s\n", diag.Clean(x.RevisedPrompt))
			}
		}
		if r.Approved != nil {
			fmt.Fprintf(w, "  approved     %s\n", r.Approved.text(r.Candidates))
		}
		for _, x := range r.Refused {
			fmt.Fprintf(w, "  refused      %s (%s) %s\n", x.Reason, Money(x.Price), diag.Clean(x.Message))
		}
		for _, x := range r.Outputs {
			fmt.Fprintf(w, "  file         %s  %s\n", diag.Clean(x.Path), c.Dim(x.Recipe))
			if p := x.Placeholder; p != nil {
				fmt.Fprintf(w, "    placeholder %s %s\n", p.Color, p.BlurHash)
			}
			if x.Label != nil {
				fmt.Fprintf(w, "    label      %s\n", cmp.Or(x.Label.text(), "none"))
			}
		}
	}
}
