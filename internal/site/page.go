package site

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/imgbuild/imgbuild/internal/spec"
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
	hosts []string // of the site, as the page says
	heads []string // URLs of icons and cards
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
			if e.label = strings.TrimSpace(a.Val); e.label == "" {
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
	case "link", "meta", "base":
		p.head(t)
		urls = nil
	default:
		urls = nil
	}
	// What stands in for a picture until it comes is none.
	if slices.ContainsFunc(urls, func(u string) bool { return u != "" && !isData(u) }) {
		urls = slices.DeleteFunc(urls, isData)
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

// headed are the words of rel, property and name by which the head of a page names
// a picture that it does not show.
var headed = map[string]bool{
	"icon": true, "apple-touch-icon": true, "apple-touch-icon-precomposed": true,
	"og:image": true, "og:image:url": true, "og:image:secure_url": true, "twitter:image": true, "twitter:image:src": true,
}

// head takes from the head of a page on which host the site is, and what icons and
// cards it names.
func (p *pageReader) head(t *html.Token) {
	url := attr(t, "href", "content")
	for word := range strings.FieldsSeq(strings.ToLower(attr(t, "rel", "property", "name"))) {
		switch {
		case word == "canonical" || word == "og:url":
			p.hosts = append(p.hosts, hostOf(url))
		case headed[word]:
			p.heads = append(p.heads, url)
		}
	}
	if t.Data == "base" {
		p.hosts = append(p.hosts, hostOf(url))
	}
}

// context is what the open elements say of a picture here; the nearest counts.
func (p *pageReader) context() shown {
	s := shown{page: p.name, hosts: p.hosts}
	said := false
	for i := len(p.open) - 1; i >= 0; i-- {
		e := &p.open[i]
		if s.address == "" {
			s.address = e.address
		}
		if e.label != "" && !said {
			said, s.denied = true, denies(e.label)
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

// linked labels the pictures that JSON-LD on the page speaks of, and notes the
// icons and cards that the site does not have. What is on another host is not the
// site's, unless the page shows it from there.
func (p *pageReader) linked() {
	for _, u := range p.heads {
		if name, _ := p.find(p.name, u); name == "" && p.local(u, p.hosts) && p.named(u) != "" {
			p.report.Links = append(p.report.Links, Link{p.name, u, p.named(u)})
		}
	}
	var urls []string
	for _, text := range p.data {
		var v any
		if json.Unmarshal([]byte(text), &v) == nil {
			urls = append(urls, declared(v)...)
		}
	}
	hosts := make([]string, len(p.report.Pictures)-p.first)
	for i := range hosts {
		hosts[i] = hostOf(p.report.Pictures[p.first+i].Source)
	}
	for _, u := range urls {
		name, f := p.find(p.name, u)
		image := p.named(u)
		if images := p.with(f); len(images) > 0 {
			image, _ = p.settle(images, name, "")
		}
		host := hostOf(u)
		for i := p.first; i < len(p.report.Pictures); i++ {
			x := &p.report.Pictures[i]
			if !p.ours(host, p.hosts) && host != hosts[i-p.first] {
				continue
			}
			if x.Source == u || name != "" && x.File == name || image != "" && x.Image == image {
				p.label(i, InJSONLD)
			}
		}
	}
}

// declared are the URLs of things whose digital source type is that of what a
// model or a program made. Of what a camera took it says the opposite.
func declared(v any) (urls []string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			urls = append(urls, declared(e)...)
		}
	case map[string]any:
		if kind, _ := v["digitalSourceType"].(string); spec.Generated(sourceCode(kind)) {
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

// sourceCode is IPTC's code in a digital source type: IPTC's URL of it,
// schema.org's, or the code alone.
func sourceCode(kind string) string {
	kind = strings.TrimSpace(kind)
	kind = strings.TrimSuffix(kind[strings.LastIndexAny(kind, "/#:")+1:], "DigitalSource")
	if kind == "" {
		return ""
	}
	return strings.ToLower(kind[:1]) + kind[1:]
}

// no are values of data-ai-generated by which a page says that a picture was made
// otherwise, also by one of IPTC's codes.
var no = map[string]bool{
	"false": true, "no": true, "0": true, "none": true, "off": true, "never": true, "nein": true, "non": true, "n/a": true, "unknown": true,
	"null": true, "undefined": true, // that is what templates make of nothing
	"digitalcapture": true, "computationalcapture": true, "multiframecomputationalcapture": true, "screencapture": true, "compositecapture": true, "virtualrecording": true,
	"negativefilm": true, "positivefilm": true, "print": true, "humanedits": true, "minorhumanedits": true, "digitalcreation": true, "digitalart": true, "softwareimage": true,
}

func denies(value string) bool {
	return no[strings.ToLower(strings.TrimSpace(value))] || no[strings.ToLower(sourceCode(value))]
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
		if s.page, s.url = page, m[1]+m[2]+m[3]; !isData(s.url) { // a placeholder, or a pattern
			l.add(s)
		}
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
// in English, German, French or Spanish, and not that it was not.
func says(text string) bool {
	if text == "" {
		return false
	}
	for _, at := range told().FindAllStringIndex(text, -1) {
		if !negated().MatchString(text[max(0, at[0]-64):at[0]]) {
			return true
		}
	}
	return false
}

var (
	told = lazily(`(?i)\b(?:ai|artificial intelligence)[-\s]?(?:generated|made|created|drawn)\b` +
		`|\b(?:generated|made|created|drawn|illustrated)\s(?:by|with|using)\s(?:an?\s)?(?:ai|artificial intelligence)\b` +
		`|\bKI[-\s]?(?:generiert|erzeugt|erstellt)|\b(?:mit|von|durch)\s(?:einer\s)?KI\s(?:generiert|erzeugt|erstellt)` +
		`|\bg\x{e9}n\x{e9}r\x{e9}e?s?\s(?:par|avec)\s(?:une\s|l['\x{2019}])?IA\b|\bgenerad[ao]s?\s(?:por|con)\s(?:una\s)?IA\b`)
	// Before that: a denial, and few words that change nothing about it.
	negated = lazily(`(?i)(?:\b(?:no|not|never|none|nothing|nicht|nie|kein\pL*|non|pas|jamais|nunca)|n['\x{2019}]t)[-\s]+` +
		`(?:(?:an?|any|been|is|are|was|were|here|of|this|these|ein|eine|hier|wurde|est|\x{e9}t\x{e9}|une?|es|fue|ha|sido)\s+){0,3}$`)
)
