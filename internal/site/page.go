package site

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Bounds of a page: bytes of one tag, elements in each other, and texts that are
// kept.
const (
	maxTag   = 4 << 20
	maxOpen  = 1024
	maxWords = 8 << 10
)

// element is one that is open.
type element struct {
	name    string
	label   string // the value of data-ai-generated, "" if it does not say
	address string // of data-imgbuild
	figure  *figure
}

// figure is a figure or a picture: what is shown in it, and its caption.
type figure struct {
	shown   []int // places in the report
	pending []string
	caption strings.Builder
}

type pageReader struct {
	*looker
	name  string
	open  []element
	first int      // of the page in the report
	data  []string // JSON-LD
}

// void elements have no end.
var void = map[string]bool{"area": true, "base": true, "br": true, "col": true, "embed": true, "hr": true, "img": true, "input": true, "link": true, "meta": true, "source": true, "track": true, "wbr": true}

func (p *pageReader) read(b []byte) {
	p.first = len(p.report.Pictures)
	z := html.NewTokenizer(bytes.NewReader(b))
	z.SetMaxBuf(maxTag)
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); !errors.Is(err, io.EOF) {
				p.skip(p.name, err)
			}
			for len(p.open) > 0 {
				p.close(p.open[len(p.open)-1].name)
			}
			p.linked()
			return
		case html.StartTagToken:
			t := z.Token()
			p.start(&t)
			if t.Data == "script" || t.Data == "style" {
				p.raw(z, &t)
			}
		case html.SelfClosingTagToken:
			t := z.Token()
			p.start(&t)
			if !void[t.Data] {
				p.close(t.Data)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			p.close(string(name))
		case html.TextToken:
			if f := p.captioned(); f != nil {
				text := z.Text()
				f.caption.Write(text[:min(len(text), maxWords-min(f.caption.Len(), maxWords))])
			}
		}
	}
}

// raw takes what stands in a script or a style.
func (p *pageReader) raw(z *html.Tokenizer, t *html.Token) {
	if z.Next() != html.TextToken {
		p.close(t.Data)
		return
	}
	text := string(z.Text())
	if t.Data == "style" {
		p.css(p.name, text, p.context())
	} else if strings.EqualFold(attr(t, "type"), "application/ld+json") {
		p.data = append(p.data, text)
	}
}

func attr(t *html.Token, names ...string) string {
	for _, name := range names {
		for _, a := range t.Attr {
			if a.Key == name {
				return a.Val
			}
		}
	}
	return ""
}

func (p *pageReader) start(t *html.Token) {
	e := element{name: t.Data, address: attr(t, "data-imgbuild")}
	for _, a := range t.Attr {
		if a.Key == "data-ai-generated" {
			if e.label = strings.ToLower(strings.TrimSpace(a.Val)); e.label == "" {
				e.label = "true"
			}
		}
	}
	if t.Data == "figure" || t.Data == "picture" {
		e.figure = &figure{}
	}
	if len(p.open) >= maxOpen {
		return // nobody nests so deep
	}
	p.open = append(p.open, e)
	s := p.context()
	if style := attr(t, "style"); style != "" {
		p.css(p.name, style, s)
	}
	s.alt = strings.TrimSpace(attr(t, "alt"))
	if says(s.alt) || says(attr(t, "title")) || says(attr(t, "aria-label")) {
		s.labels = append(s.labels, InText)
	}
	urls := append(srcset(attr(t, "srcset")), srcset(attr(t, "data-srcset"))...)
	switch t.Data {
	case "img", "source", "input":
		urls = append(urls, attr(t, "src"), attr(t, "data-src"))
	case "image":
		urls = append(urls, attr(t, "href", "xlink:href"))
	case "video":
		urls = append(urls, attr(t, "poster"))
	default:
		urls = nil
	}
	if f := p.within("picture"); f != nil && t.Data == "source" {
		f.pending = append(f.pending, urls...) // they are other files for the img that follows
		urls = nil
	} else if f != nil && t.Data == "img" {
		urls, f.pending = append(urls, f.pending...), nil
	}
	for _, u := range urls {
		p.show(s, u)
	}
	if void[t.Data] {
		p.pop()
	}
}

// context is what the open elements say of a picture here; the nearest counts.
func (p *pageReader) context() shown {
	s := shown{page: p.name}
	said := false
	for i := len(p.open) - 1; i >= 0; i-- {
		e := &p.open[i]
		if s.address == "" {
			s.address = e.address
		}
		if e.label != "" && !said {
			said, s.denied = true, e.label == "false"
		}
	}
	if said && !s.denied {
		s.labels = []string{InAttribute}
	}
	return s
}

// show notes a picture, for all figures that it is in.
func (p *pageReader) show(s shown, url string) {
	if s.url = url; url == "" {
		return
	}
	if i := p.add(s); i >= 0 {
		for k := range p.open {
			if f := p.open[k].figure; f != nil {
				f.shown = append(f.shown, i)
			}
		}
	}
}

// within is the nearest open figure of a kind, or nil.
func (p *pageReader) within(name string) *figure {
	for i := len(p.open) - 1; i >= 0; i-- {
		if p.open[i].name == name {
			return p.open[i].figure
		}
	}
	return nil
}

// captioned is the figure whose caption is being read, or nil.
func (p *pageReader) captioned() *figure {
	if !slices.ContainsFunc(p.open, func(e element) bool { return e.name == "figcaption" }) {
		return nil
	}
	return p.within("figure")
}

// close ends an element and those in it that have no end of their own. An end
// without a beginning is nothing.
func (p *pageReader) close(name string) {
	if !slices.ContainsFunc(p.open, func(e element) bool { return e.name == name }) {
		return
	}
	for p.pop() != name {
	}
}

func (p *pageReader) pop() string {
	last := len(p.open) - 1
	e := p.open[last]
	if f := e.figure; f != nil {
		s := p.context()
		for _, u := range f.pending { // without an img
			p.show(s, u)
		}
		if says(f.caption.String()) {
			for _, i := range f.shown {
				p.label(i, InText)
			}
		}
	}
	p.open = p.open[:last]
	return e.name
}

// linked labels the pictures that JSON-LD on the page speaks of.
func (p *pageReader) linked() {
	var urls []string
	for _, text := range p.data {
		var v any
		if json.Unmarshal([]byte(text), &v) == nil {
			urls = append(urls, declared(v)...)
		}
	}
	for _, u := range urls {
		name, f := p.find(p.name, u)
		image := p.named(u)
		if f != nil && f.image != "" {
			image = f.image
		}
		for i := p.first; i < len(p.report.Pictures); i++ {
			if x := &p.report.Pictures[i]; x.Source == u || name != "" && x.File == name || image != "" && x.Image == image {
				p.label(i, InJSONLD)
			}
		}
	}
}

// declared are the URLs of things that have a digital source type.
func declared(v any) (urls []string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			urls = append(urls, declared(e)...)
		}
	case map[string]any:
		if kind, _ := v["digitalSourceType"].(string); kind != "" {
			for _, key := range []string{"contentUrl", "url", "@id", "image", "thumbnailUrl"} {
				if u, _ := v[key].(string); u != "" {
					urls = append(urls, u)
				}
			}
		}
		for _, e := range v {
			urls = append(urls, declared(e)...)
		}
	}
	return urls
}

// styles looks through a style sheet, where nothing can tell how a picture was
// made.
func (l *looker) styles(name string, b []byte) {
	l.css(name, string(b), shown{page: name})
}

var cssURL = lazily(`(?i)url\(\s*(?:"([^"\n]*)"|'([^'\n]*)'|([^"'()\s]+))\s*\)`)

// css looks for the pictures of style rules; escapes in them are not undone.
func (l *looker) css(page, text string, s shown) {
	for _, m := range cssURL().FindAllStringSubmatch(text, -1) {
		s.page, s.url = page, m[1]+m[2]+m[3]
		l.add(s)
	}
}

// srcset are the URLs of a list of candidates; a comma within one is no end.
func srcset(s string) (urls []string) {
	const space = " \t\r\n\f"
	for {
		s = strings.TrimLeft(s, space+",")
		if s == "" {
			return urls
		}
		url := s
		if i := strings.IndexAny(s, space); i >= 0 {
			url, s = s[:i], s[i:]
		} else {
			s = ""
		}
		if bare := strings.TrimRight(url, ","); bare != url {
			urls = append(urls, bare) // it has no descriptor
			continue
		}
		urls = append(urls, url)
		if i := strings.IndexByte(s, ','); i >= 0 {
			s = s[i:]
		} else {
			s = ""
		}
	}
}

// says reports whether words tell people that a picture was made by a machine,
// in English, German, French or Spanish.
func says(text string) bool { return text != "" && told().MatchString(text) }

var told = lazily(`(?i)\b(?:ai|artificial intelligence)[-\s]?(?:generated|made|created|drawn)\b` +
	`|\b(?:generated|made|created|drawn|illustrated)\s(?:by|with|using)\s(?:an?\s)?(?:ai|artificial intelligence)\b` +
	`|\bKI[-\s]?(?:generiert|erzeugt|erstellt)|\b(?:mit|von|durch)\s(?:einer\s)?KI\s(?:generiert|erzeugt|erstellt)` +
	`|\bg\x{e9}n\x{e9}r\x{e9}e?s?\s(?:par|avec)\s(?:une\s|l['\x{2019}])?IA\b|\bgenerad[ao]s?\s(?:por|con)\s(?:una\s)?IA\b`)
