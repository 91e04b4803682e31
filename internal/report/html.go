package report

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

//go:embed web
var web embed.FS

var (
	pages  = template.Must(template.New("").Funcs((&Pages{}).funcs()).ParseFS(web, "web/page.html"))
	style  = asset("style.css")
	script = asset("script.js")
)

func asset(name string) string {
	b, err := web.ReadFile("web/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(b)
}

// Pictures finds the pictures that pages show.
type Pictures interface {
	// Has reports whether a picture is here.
	Has(c digest.Content) bool
	// Small is a picture as a JPEG, or as a PNG where it is transparent, of at
	// most side pixels in width and height. It is nil for one that is not here or
	// that can't be read.
	Small(c digest.Content, side int) (b []byte, mediaType string)
	// Mask is the mask of an image and what the edit did outside of it, nil for an
	// image without one.
	Mask(a spec.Address) *MaskView
}

// Thumb is the width and height that a small picture fits in, in pixels.
const Thumb = 320

// Pages writes the pages of a review that is served.
type Pages struct {
	Sheet    *Sheet
	Pictures Pictures
	CSRF     string // goes with each form; "" for pages on which nothing can be chosen
	Run      *Run   // what an apply is about just now, or was about last; may be nil
	State    string // changes when the pages do
	Told     string // what became of the last choice
	file     *filed // of a page that is one file
}

// ErrNoPage is of something that the sheet does not have.
var ErrNoPage = errors.New("there is no such page")

// pageData is what the templates of a page see.
type pageData struct {
	Title         string
	Policy        string
	Style, Script any // of one file: template.CSS and template.JS
	Sheet         *Sheet
	Sentences     []string
	Groups        []cardGroup
	Cards         []Card
	Card          *Card
	Name          string
	Up            string
	Before, After string // addresses
	CSRF          string
	Presets       bool // have pages
	LeftOut       int  // pictures
	Run           *Run
	State         string // of what is served, "" for a file
	Told          string
}

type cardGroup struct {
	State CardState
	Title string
	Cards []Card
}

// Overview writes the contact sheet.
func (p *Pages) Overview(w io.Writer) error {
	return p.write(w, p.overview(), "sheet")
}

func (p *Pages) overview() *pageData {
	d := p.data(p.Sheet.Project)
	d.Sheet, d.Sentences = p.Sheet, p.Sheet.Model.sentences(func(s string) string { return s })
	for _, s := range cardStates {
		g := cardGroup{State: s, Title: cardTitles[s]}
		for _, c := range p.Sheet.Cards {
			if c.State == s {
				g.Cards = append(g.Cards, c)
			}
		}
		if len(g.Cards) > 0 {
			d.Groups = append(d.Groups, g)
		}
	}
	return d
}

// Image writes the page of an image.
func (p *Pages) Image(w io.Writer, address string) error {
	i := slices.IndexFunc(p.Sheet.Cards, func(c Card) bool { return c.Address == address })
	if i < 0 {
		return ErrNoPage
	}
	return p.write(w, p.image(i), "image")
}

func (p *Pages) image(i int) *pageData {
	card := p.Sheet.Cards[i]
	d := p.data(card.Address)
	d.Card = &card
	if i > 0 {
		d.Before = p.Sheet.Cards[i-1].Address
	}
	if i+1 < len(p.Sheet.Cards) {
		d.After = p.Sheet.Cards[i+1].Address
	}
	if card.Masked && card.Mask == nil && p.file == nil {
		card.Mask = p.Pictures.Mask(spec.Address(card.Address))
	}
	return d
}

// Preset writes the page of all images that take from a preset.
func (p *Pages) Preset(w io.Writer, name string) error {
	d := p.data(name)
	d.Name = name
	for _, c := range p.Sheet.Cards {
		if c.Preset == name {
			d.Cards = append(d.Cards, c)
		}
	}
	if len(d.Cards) == 0 {
		return ErrNoPage
	}
	return p.write(w, d, "preset")
}

func (p *Pages) data(title string) *pageData {
	return &pageData{Title: diag.Clean(title) + " · imgbuild", Up: "/", CSRF: p.CSRF, Presets: p.file == nil, Run: p.Run, State: p.State, Told: diag.Clean(p.Told)}
}

func (p *Pages) write(w io.Writer, d *pageData, body string) error {
	t, err := pages.Clone()
	if err != nil {
		return err
	}
	t.Funcs(p.funcs())
	for _, name := range []string{"top", body, "bottom"} {
		if err := t.ExecuteTemplate(w, name, d); err != nil {
			return err
		}
	}
	return nil
}

// Style and Script are what the pages load.
func Style() string { return style }

// Script is that of the pages.
func Script() string { return script }

// Shows lists all pictures that a page of the sheet can show: nothing else is to
// be served.
func (s *Sheet) Shows() map[digest.Content]bool {
	all := map[digest.Content]bool{}
	for i := range s.Cards {
		c := &s.Cards[i]
		for _, f := range []*ImageFile{c.Old, c.New} {
			if f != nil {
				all[f.SHA256], all[f.Of] = true, true
			}
		}
		for _, cand := range c.Candidates {
			all[cand.Content] = true
		}
	}
	delete(all, digest.Content{})
	return all
}

// Picked is the candidate that is picked, nil if there is none.
func (c *Card) Picked() *Candidate {
	for i := range c.Candidates {
		if c.Candidates[i].Picked {
			return &c.Candidates[i]
		}
	}
	return nil
}

// todo is what the plan has for an image.
type todo struct {
	Text, Price string
	More        []string
}

// compared is what stands side by side.
type compared struct {
	Both, Mask bool
	Sides      []sideView
}

type sideView struct {
	Class, Alt, None, Caption string
	URL, Mask                 any // template.URL or nil
}

// diffPart is a stretch of words of an attribute.
type diffPart struct{ Kind, Text string }

// funcs are what the templates call.
func (p *Pages) funcs() template.FuncMap {
	return template.FuncMap{
		"clean": func(s any) string { return diag.Clean(fmt.Sprint(s)) },
		"money": func(m provider.Money) string { return Money(m) },
		"shell": func(a string) string { return "'" + diag.Clean(a) + "'" },
		"words": func(c Card) string {
			words := []string{c.Address, c.Alt, strings.Join(c.Tags, " ")}
			if c.Preset != "" {
				words = append(words, "preset:"+c.Preset)
			}
			for _, f := range c.Says {
				if f.Name == "prompt" || f.Name == "model" || f.Name == "path" {
					words = append(words, f.Text)
				}
			}
			return diag.Clean(strings.ToLower(strings.Join(words, " ")))
		},
		"link":   p.link,
		"anchor": p.anchor,
		"preset": func(name string) string { return "/preset?name=" + url.QueryEscape(name) },
		"thumb": func(c Card) any {
			for _, f := range []*ImageFile{c.New, c.Old} {
				if of := p.shown(f); !of.IsZero() {
					return p.url(of, "thumb")
				}
			}
			return nil
		},
		"large": func(c digest.Content) any {
			if p.Pictures == nil || !p.Pictures.Has(c) {
				return nil
			}
			return p.url(c, "picture")
		},
		"what":     func(c Card) string { return p.what(&c) },
		"state":    func(c *Card) string { return cardTitles[c.State] },
		"headline": func(c *Card) string { return c.headline() },
		"todo": func(c *Card) *todo {
			if c.Step == nil {
				return nil
			}
			what, more := sentence(c.Step, time.Time{})
			t := &todo{Text: what, Price: price(c.Step)}
			for _, l := range more {
				t.More = append(t.More, l(diag.Palette{}))
			}
			return t
		},
		"compare": p.compare,
		"percent": func(share float64) string {
			switch {
			case share == 0:
				return "none"
			case share < 0.001:
				return "less than 0.1 %"
			}
			return fmt.Sprintf("%.1f %%", 100*share)
		},
		"diff": func(f FieldChange) []diffPart {
			all := runs(f.Old, f.New)
			if all == nil {
				return []diffPart{{"", tooLong(f.Old, f.New)}}
			}
			var parts []diffPart
			for _, r := range all {
				parts = append(parts, diffPart{[]string{inBoth: "", inOld: "old", inNew: "new"}[r.in], diag.Clean(strings.Join(r.words, " "))})
			}
			return parts
		},
		"file": func(f FileChange) string {
			switch {
			case f.New.IsZero():
				return "gone"
			case f.Old.IsZero():
				return "new, " + Bytes(f.NewBytes)
			}
			return Bytes(f.OldBytes) + " → " + Bytes(f.NewBytes)
		},
	}
}

// what is said of a card on the sheet.
func (p *Pages) what(c *Card) string {
	if p.Run != nil {
		if text := p.Run.Texts[c.Address]; text != "" {
			return text
		}
	}
	if c.unfinished() {
		return diag.Clean(c.Outcome.Text)
	}
	if c.Step != nil {
		what, _ := sentence(c.Step, time.Time{})
		if pr := price(c.Step); pr != "" {
			what += ", " + pr
		}
		return what
	}
	return c.headline()
}

// shown is the picture to show for a file: itself, or what it was made of.
func (p *Pages) shown(f *ImageFile) digest.Content {
	if f != nil && p.Pictures != nil {
		for _, c := range []digest.Content{f.SHA256, f.Of} {
			if !c.IsZero() && p.Pictures.Has(c) {
				return c
			}
		}
	}
	return digest.Content{}
}

func (p *Pages) link(address string) string {
	if p.file != nil {
		return "#" + p.anchor(address)
	}
	return "/image?address=" + url.QueryEscape(address)
}

// anchor is the name of the part of a page that is about an image.
func (p *Pages) anchor(address string) string {
	if p.file == nil {
		return "image"
	}
	return fmt.Sprint("image-", p.file.number[address])
}

// url is where a picture is: kind is picture or thumb.
func (p *Pages) url(c digest.Content, kind string) any {
	if p.file != nil {
		return p.file.url(c, kind)
	}
	return template.URL("/" + kind + "/" + c.String())
}

// compare puts the old and the new picture of a card side by side, or the one
// that there is.
func (p *Pages) compare(c *Card) *compared {
	out := &compared{}
	add := func(class, what string, f *ImageFile) {
		if f == nil {
			return
		}
		s := sideView{Class: class, Alt: what + ": " + cmp.Or(diag.Clean(c.Alt), "a picture without alt text"), None: "not on this machine",
			Caption: what + ": " + diag.Clean(f.Path) + ", " + f.size()}
		if of := p.shown(f); !of.IsZero() {
			s.URL = p.url(of, "picture")
		}
		if c.Mask != nil && class == "new" {
			s.Mask = p.maskURL(c)
			out.Mask = s.Mask != nil
		}
		out.Sides = append(out.Sides, s)
	}
	switch {
	case c.Old != nil && c.New != nil && c.Old.SHA256 == c.New.SHA256:
		add("new", "Picture", c.New)
	case c.Old == nil && c.New != nil:
		add("new", "New", c.New)
	case c.Old != nil && c.New == nil:
		add("old", "It was", c.Old)
	default:
		add("old", "Before", c.Old)
		add("new", "After", c.New)
	}
	if len(out.Sides) == 0 {
		return nil
	}
	out.Both = len(out.Sides) == 2 && out.Sides[0].URL != nil && out.Sides[1].URL != nil
	return out
}

func (p *Pages) maskURL(c *Card) any {
	if p.file != nil {
		return dataURL(c.Mask.Veil, "image/png")
	}
	return template.URL("/mask?address=" + url.QueryEscape(c.Address))
}

// filed is what a page that is one file has in it.
type filed struct {
	number map[string]int
	urls   map[string]template.URL // of pictures, by kind and content
}

func (f *filed) url(c digest.Content, kind string) any {
	for _, kind := range []string{kind, "thumb"} {
		if u, ok := f.urls[kind+c.String()]; ok {
			return u
		}
	}
	return nil
}

func dataURL(b []byte, mediaType string) template.URL {
	return template.URL("data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(b))
}

// PageMark is at the beginning of a page that is one file.
const PageMark = `<meta name="generator" content="imgbuild">`

// MostHTML is how many bytes of pictures a page that is one file has at most.
const MostHTML = 48 << 20

// HTMLOptions say what is in a page that is one file.
type HTMLOptions struct {
	Most     int                       // bytes of pictures; 0 for MostHTML
	Progress func(pictures, total int) // may be nil
}

// The larger picture of an image that has changed, in pixels.
const large = 1280

// HTML writes a sheet as one file that loads nothing: small pictures of all
// images, larger ones of what is not unchanged. What would be more than
// o.Most is left out, the last images first, and the page says so.
func HTML(w io.Writer, s *Sheet, pictures Pictures, o HTMLOptions) error {
	p := &Pages{Sheet: s, Pictures: pictures, file: &filed{map[string]int{}, map[string]template.URL{}}}
	for i := range s.Cards {
		p.file.number[s.Cards[i].Address] = i + 1
	}
	leftOut := p.fill(o)
	d := p.overview()
	d.Up, d.LeftOut = "#sheet", leftOut
	d.Style, d.Script = template.CSS(style), template.JS(script)
	d.Policy = "default-src 'none'; img-src data:; style-src '" + sum(style) + "'; script-src '" + sum(script) + "'; base-uri 'none'; form-action 'none'"
	t, err := pages.Clone()
	if err != nil {
		return err
	}
	t.Funcs(p.funcs())
	if err := t.ExecuteTemplate(w, "top", d); err != nil {
		return err
	}
	if err := t.ExecuteTemplate(w, "sheet", d); err != nil {
		return err
	}
	for i := range s.Cards {
		one := p.image(i)
		one.Up = "#sheet"
		if err := t.ExecuteTemplate(w, "image", one); err != nil {
			return err
		}
	}
	return t.ExecuteTemplate(w, "bottom", d)
}

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(h[:])
}

// fill makes the pictures of one file, the important ones first, and counts
// those that there was no room for.
func (p *Pages) fill(o HTMLOptions) (leftOut int) {
	type want struct {
		content digest.Content
		kind    string
		side    int
	}
	var wants []want
	seen := map[want]bool{}
	add := func(c digest.Content, kind string, side int) {
		w := want{c, kind, side}
		if !c.IsZero() && !seen[w] && p.Pictures.Has(c) {
			seen[w] = true
			wants = append(wants, w)
		}
	}
	small := Thumb
	if len(p.Sheet.Cards) > 1000 {
		small = Thumb / 2
	}
	for i := range p.Sheet.Cards {
		c := &p.Sheet.Cards[i]
		now := p.shown(c.New)
		add(now, "thumb", small)
		if old := p.shown(c.Old); old != now {
			add(old, "thumb", small)
		}
	}
	for i := range p.Sheet.Cards {
		c := &p.Sheet.Cards[i]
		if c.State == CardUnchanged {
			break
		}
		add(p.shown(c.New), "picture", large)
		add(p.shown(c.Old), "picture", large)
		for _, cand := range c.Candidates {
			if c.New == nil || cand.Content != c.New.Of {
				add(cand.Content, "picture", large)
			}
		}
	}
	left := cmp.Or(o.Most, MostHTML)
	n := 0
	inOrder(wants, func(w want) template.URL {
		b, mediaType := p.Pictures.Small(w.content, w.side)
		if b == nil {
			return ""
		}
		return dataURL(b, mediaType)
	}, func(w want, u template.URL) bool {
		n++
		if o.Progress != nil {
			o.Progress(n, len(wants))
		}
		if 2*len(u) > left {
			leftOut++
		} else if u != "" {
			left -= 2 * len(u) // it stands on the sheet too, or among the candidates
			p.file.urls[w.kind+w.content.String()] = u
		}
		return left > 1000 // no picture is smaller
	})
	leftOut += len(wants) - n
	for i := range p.Sheet.Cards {
		c := &p.Sheet.Cards[i]
		if f := c.New; f != nil {
			// Who sees the file needs not see what it was made of.
			if u, ok := p.file.urls["picture"+p.shown(f).String()]; ok {
				p.file.urls["picture"+f.Of.String()] = u
			}
		}
		if c.Masked && c.State != CardUnchanged {
			if m := p.Pictures.Mask(spec.Address(c.Address)); m != nil && len(m.Veil)*4/3 < left {
				left -= len(m.Veil) * 4 / 3
				c.Mask = m
			}
		}
	}
	return leftOut
}
