package lint

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/imgbuild/imgbuild/internal/provider"
)

func (s *subject) edits() bool { return len(s.Wanted.Sources) > 0 }

// has reports whether one of the lists has a word of the prompt.
func (s *subject) has(which ...int) bool {
	return slices.ContainsFunc(which, func(list int) bool { return len(s.hits[list]) > 0 })
}

// advisable: the prompt describes a picture, in the language of the lists.
func (s *subject) advisable() bool { return s.prompt != "" && s.english && !s.edits() }

// little is told of prompts that say so little that more advice would be noise.
func (s *subject) little() bool {
	return s.advisable() && len(content(s.words)) < 5 && !s.has(medium, photo, painted, flat, light, composition, mood) && len(s.quotes) == 0
}

func vague(r *run, s *subject) {
	if s.little() {
		r.tell(s, "prompt", s.prompt, "say what it shows, in which medium, light and mood, and from where", "the prompt says little, so the model chooses the rest")
	}
}

func vagueImperative(r *run, s *subject) {
	for _, words := range s.hits[imperative] {
		r.tell(s, "prompt", words, "say what makes it so: medium, light, colours, composition", fmt.Sprintf("%q says nothing that can be drawn", words))
	}
}

func noMedium(r *run, s *subject) {
	if s.advisable() && !s.little() && !s.has(medium, photo, painted, flat) && s.Wanted.Style == "" {
		r.tell(s, "prompt", "", `name one, such as "photograph", "watercolour" or "flat vector illustration"`, "the prompt names no medium")
	}
}

// pictorial prompts have light and mood.
func (s *subject) pictorial() bool { return s.advisable() && !s.little() && !s.has(flat) }

func noLight(r *run, s *subject) {
	if s.pictorial() && !s.has(light) {
		r.tell(s, "prompt", "", `add it, such as "soft morning light"`, "the prompt says nothing of the light")
	}
}

func noComposition(r *run, s *subject) {
	if s.advisable() && !s.little() && !s.has(composition, flat) {
		r.tell(s, "prompt", "", `add it, such as "wide angle", "close-up" or "empty on the left"`, "the prompt says nothing of viewpoint or composition")
	}
}

func noMood(r *run, s *subject) {
	if s.pictorial() && !s.has(mood) {
		r.tell(s, "prompt", "", `add it, such as "serene" or "tense"`, "the prompt says nothing of the mood")
	}
}

func keywordSoup(r *run, s *subject) {
	if s.prompt == "" || s.edits() || s.has(verbs) || // in any language: a list has no small words to know one by
		strings.ContainsAny(strings.TrimRight(strings.TrimSpace(s.bare), "."), ".;:!?\n") {
		return
	}
	fragments, short := 0, 0
	for part := range strings.SplitSeq(s.bare, ",") {
		w := wordsOf(part)
		if len(w) == 0 {
			continue
		}
		if len(w) > 5 {
			return // a scene, and a list of how it is drawn
		}
		fragments++
		if len(w) <= 3 && !slices.ContainsFunc(w, func(w string) bool { return connecting()[w] }) {
			short++
		}
	}
	if fragments >= 6 && short*4 >= fragments*3 {
		r.tell(s, "prompt", s.prompt, "describe the scene in a sentence: who does what, where, in which light", fmt.Sprintf("the prompt is a list of %d keywords", fragments))
	}
}

func contradiction(r *run, s *subject) {
	if s.prompt == "" || s.edits() {
		return
	}
	for _, pair := range [][2]int{{photo, painted}, {day, night}, {colourful, monochrome}} {
		a, b := first(s.hits[pair[0]]), first(s.hits[pair[1]])
		if pair[0] == photo {
			a = strongPhoto(s.hits[photo])
		}
		if a != "" && b != "" {
			r.tell(s, "prompt", b, "keep one of them", fmt.Sprintf("%q and %q exclude each other", a, b))
		}
	}
	if a, b := strongPhoto(s.hits[photo]), first(s.hits[flat]); a != "" && a != "macro" && slices.ContainsFunc([]string{"vector", "flat design", "flat illustration", "flat vector", "line art", "line drawing"}, func(w string) bool { return w == b }) {
		r.tell(s, "prompt", b, "keep one of them", fmt.Sprintf("%q and %q exclude each other", a, b))
	}
}

// strongPhoto is a word that asks for a photograph and nothing else. Macro and
// lenses are also said of drawings, and a photograph may be in the picture.
func strongPhoto(hits []string) string {
	for _, h := range hits {
		if slices.Contains([]string{"photorealistic", "photo-realistic", "photorealism", "photographic", "photography", "hyperrealistic", "dslr", "film still"}, h) {
			return h
		}
	}
	return ""
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

var writtenRatio = lazily(`\b(\d{1,2}):(\d{1,2})\b(\s*(?:am|pm|a\.m|p\.m|o'clock|uhr))?`)

func writtenRatios(text string) [][]string {
	if !strings.Contains(text, ":") {
		return nil // regexps are slow, and prompts are many
	}
	return writtenRatio().FindAllStringSubmatch(text, -1)
}

// shape is width to height of what will be sent, 0 if that is not known.
func (s *subject) shape() (ratio float64, field string) {
	w := &s.Wanted
	switch {
	case w.Size != "":
		if size, err := provider.ParseSize(w.Size); err == nil && size.Height > 0 {
			return float64(size.Width) / float64(size.Height), "size"
		}
	case w.AspectRatio != "":
		return ratioOf(w.AspectRatio), "aspect_ratio"
	case !s.edits() && s.offer != nil && s.offer.DefaultAspectRatio != "":
		return ratioOf(s.offer.DefaultAspectRatio), "aspect_ratio"
	}
	return 0, ""
}

func ratioOf(s string) float64 {
	a, b, _ := strings.Cut(s, ":")
	w, err1 := strconv.ParseFloat(a, 64)
	h, err2 := strconv.ParseFloat(b, 64)
	if err1 != nil || err2 != nil || w <= 0 || h <= 0 {
		return 0
	}
	return w / h
}

func against(r *run, s *subject) {
	if s.prompt == "" {
		return
	}
	ratio, field := s.shape()
	said := ""
	switch field {
	case "size":
		said = fmt.Sprintf("size is %q", s.Wanted.Size)
	case "aspect_ratio":
		said = fmt.Sprintf("aspect_ratio is %q", s.Wanted.AspectRatio)
		if s.Wanted.AspectRatio == "" {
			said = fmt.Sprintf("the aspect_ratio of the model is %q unless you write one", s.offer.DefaultAspectRatio)
		}
	}
	const near = 0.02
	for _, c := range []struct {
		list  int
		wrong bool
	}{{portrait, ratio > 1-near}, {landscape, ratio < 1+near}, {square, math.Abs(ratio-1) > near}} {
		if w := first(s.hits[c.list]); w != "" && ratio > 0 && c.wrong {
			r.tell(s, "prompt", w, "say the shape in aspect_ratio or size alone", fmt.Sprintf("the prompt says %q, and %s", w, said))
		}
	}
	for _, m := range writtenRatios(s.bare) {
		text := m[1] + ":" + m[2]
		if asked := ratioOf(text); m[3] == "" && ratio > 0 && asked > 0 && slices.Contains(commonRatios, text) && math.Abs(asked-ratio) > near*ratio {
			r.tell(s, "prompt", text, "say the shape in aspect_ratio or size alone", fmt.Sprintf("the prompt says %s, and %s", text, said))
		}
	}
	if w := first(s.hits[muted]); w != "" && s.Wanted.Style == "vivid" {
		r.tell(s, "prompt", w, `write style = "natural", or leave the word out`, fmt.Sprintf("the prompt says %q, and style is \"vivid\"", w))
	}
}

// commonRatios are ratios and no times of day, mostly.
var commonRatios = []string{"1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3", "21:9", "9:21", "5:4", "4:5", "2:1", "1:2"}

func unquotedText(r *run, s *subject) {
	if w := first(s.hits[textWanted]); w != "" && len(s.quotes) == 0 && s.prompt != "" {
		r.tell(s, "prompt", w, `put what shall be read in quotes: that says \"Open\"`, fmt.Sprintf("%q asks for words in the picture, and they are not in quotes", w))
	}
}

// written is the text that shall be read in the picture.
func (s *subject) written() string {
	if !s.has(textThing, textWanted) {
		return ""
	}
	return strings.Join(s.quotes, " ")
}

func muchText(r *run, s *subject) {
	text := s.written()
	letters := len([]rune(text))
	inLogo := slices.ContainsFunc(s.words, func(w string) bool { return w == "logo" || w == "wordmark" || w == "logotype" })
	if letters > 25 || inLogo && len(strings.Fields(text)) > 3 {
		r.tell(s, "prompt", s.quotes[0], "leave room for it, and write it with a social block or in the page", fmt.Sprintf("the picture shall hold a text of %d letters, which is rarely spelled right", letters))
	}
}

// harmless is what prompts commonly and sensibly forbid.
var harmless = lazySet("text words letters lettering typography logo logos watermark watermarks caption captions signature signatures writing frame frames border borders numbers labels people person humans human figures shadow shadows background gradients gradient outline outlines")

func negatives(r *run, s *subject) {
	if s.prompt == "" || !s.english || s.edits() {
		return
	}
	for i, w := range s.words {
		if w != "no" && w != "without" && w != "avoid" && w != "exclude" && w != "never" || i+1 >= len(s.words) {
			continue
		}
		what := s.words[i+1]
		if (what == "any" || what == "a" || what == "an" || what == "visible" || what == "other") && i+2 < len(s.words) {
			what = s.words[i+2]
		}
		if harmless()[what] || what == "one" || what == "longer" || what == "two" || what == "doubt" {
			continue
		}
		r.tell(s, "prompt", w+" "+s.words[i+1], "say what is there instead", fmt.Sprintf("\"%s %s\" may bring it into the picture", w, s.words[i+1]))
		return
	}
}

func noAlpha(r *run, s *subject) {
	if w := first(s.hits[transparent]); w != "" && s.offer != nil && !s.offer.Alpha && !denied(s.words[:max(0, slices.Index(s.words, strings.Fields(w)[0]))]) {
		r.tell(s, "prompt", w, "ask for a plain colour, such as \"on a plain white background\"", fmt.Sprintf("%s makes no transparent pixels, so %q brings a checkerboard", s.offer.Model, w))
	}
}

var styleOf = lazily(`(?i:\b(?:in the style of|in style of|art by|artwork by|painted by|photographed by|illustrated by|drawn by|illustration by|painting by|photograph by|photo by))\s+(\p{Lu}[\p{L}'’.-]+(?:\s+(?:(?:van|von|de|da|del|di|der|den|la|le)\s+)*\p{Lu}[\p{L}'’.-]+){0,3})`)

func namedStyle(r *run, s *subject) {
	if s.prompt == "" {
		return
	}
	const hint = "say what you like about it instead: lines, colours, light; or ignore it with the reason why it is allowed"
	var named [][]string
	if slices.Contains(s.words, "style") || slices.Contains(s.words, "by") {
		named = styleOf().FindAllStringSubmatch(s.bare, -1)
	}
	for _, m := range named {
		name := strings.TrimRight(m[1], ".'’-")
		if w := wordsOf(name); len(w) > 0 && !slices.ContainsFunc(w, func(w string) bool {
			return movements()[w] || strings.HasSuffix(w, "ism") || strings.HasSuffix(w, "ist") || strings.HasSuffix(w, "esque") || strings.HasSuffix(w, "ian")
		}) {
			r.tell(s, "prompt", name, hint, fmt.Sprintf("the prompt asks for the style of %s; if that is an artist, their rights may be touched", name))
		}
	}
	if len(r.names) == 0 {
		return
	}
	all := wordsOf(s.prompt)
	for _, name := range r.names {
		for i := range all {
			if all[i] == name[0] && len(all)-i >= len(name) && equal(all[i:i+len(name)], name) {
				text := strings.Join(name, " ")
				r.tell(s, "prompt", text, hint, fmt.Sprintf("the prompt names %q, which is among the names of the lint block", text))
				break
			}
		}
	}
}

func nearLimit(r *run, s *subject) {
	if s.offer == nil || s.offer.MaxPrompt == 0 {
		return
	}
	if n, most := len(s.prompt), s.offer.MaxPrompt; n <= most && n*5 >= most*4 {
		r.tell(s, "prompt", s.prompt, "shorten it", fmt.Sprintf("the prompt has %d bytes, and %s takes %d", n, s.offer.Model, most))
	}
}

func manyDemands(r *run, s *subject) {
	if !s.advisable() {
		return
	}
	n, empty := 0, true
	for word := range strings.FieldsSeq(s.bare) {
		switch {
		case word == "and":
			empty = true
			continue
		case empty && strings.ContainsFunc(word, unicode.IsLetter):
			n, empty = n+1, false
		}
		empty = empty || strings.ContainsAny(word[len(word)-1:], ",;.!?")
	}
	if n > 12 {
		r.tell(s, "prompt", s.prompt, "draw the scene, and edit the rest into it", fmt.Sprintf("the prompt has %d clauses, and models drop some of so many", n))
	}
}

var placeholderText = lazily(`\{\{[^{}]{0,60}\}\}|\bTODO\b|\bFIXME\b|\bTBD\b|\bXXX\b|<[a-zA-Z][a-zA-Z_ -]{1,30}>|(?i:\blorem ipsum\b)|(?i:\[(?:insert|your|subject|name|todo)\b[^\]]{0,40}\])|\$\{[a-zA-Z_.]{1,40}\}|%[sdv]\b`)

func placeholders(r *run, s *subject) {
	for _, t := range []struct{ field, text string }{{"prompt", s.prompt}, {"alt", s.Alt}, {"caption", s.Caption}} {
		if !strings.ContainsAny(t.text, "{<[$%") && !slices.ContainsFunc([]string{"TODO", "FIXME", "TBD", "XXX", "orem", "OREM"}, func(w string) bool { return strings.Contains(t.text, w) }) {
			continue
		}
		if m := placeholderText().FindString(t.text); m != "" {
			r.tell(s, t.field, m, "write what belongs there", fmt.Sprintf("%s still has the placeholder %q", t.field, m))
		}
	}
}

var severalPictures = lazily(`(?i)^\W*(?:(?:please )?(?:generate|create|make|draw|show|give me|a set of|a series of|a collection of)\s+)*(two|three|four|five|six|seven|eight|nine|ten|twelve|several|multiple|many|various|\d{1,2})\s+(?:\w+\s+){0,2}?(images|pictures|photos|photographs|illustrations|variations|versions|variants|options|icons|drawings)\b`)

var manyPictures = lazySet("images pictures photos photographs illustrations variations versions variants options icons drawings")

func several(r *run, s *subject) {
	if s.prompt == "" || s.edits() || !slices.ContainsFunc(s.words[:min(len(s.words), 12)], func(w string) bool { return manyPictures()[w] }) {
		return
	}
	if m := severalPictures().FindStringSubmatch(s.bare); m != nil && m[1] != "1" {
		r.tell(s, "prompt", m[2], "ask for one, and write n = 4, or for_each", fmt.Sprintf("the prompt asks for %s %s, and a request makes one picture", strings.ToLower(m[1]), strings.ToLower(m[2])))
	}
}

var (
	email     = lazily(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}`)
	telephone = lazily(`\+\d{1,3}[ ./-]?(?:\(\d{1,5}\)[ ./-]?)?\d{2,5}(?:[ ./-]?\d{2,5}){1,4}|\b(?:tel|phone|fon)\.?:?\s*\(?\d[\d ()/-]{6,}\d`)
)

func personal(r *run, s *subject) {
	m := ""
	if strings.Contains(s.prompt, "@") {
		m = email().FindString(s.prompt)
	}
	if m != "" && !strings.Contains(strings.ToLower(m), "@example.") {
		r.tell(s, "prompt", m, "leave it out, and write it into the page", fmt.Sprintf("the prompt holds the e-mail address %s, which goes to the provider", m))
	}
	digits := 0
	for i := range len(s.prompt) {
		if c := s.prompt[i]; c >= '0' && c <= '9' {
			digits++
		}
	}
	if digits < 6 {
		return // no telephone has so few
	}
	if m := telephone().FindString(s.prompt); m != "" {
		r.tell(s, "prompt", m, "leave it out, and write it into the page", fmt.Sprintf("the prompt holds what looks like a telephone number, %s, which goes to the provider", m))
	}
}

func fillers(r *run, s *subject) {
	if w := s.hits[filler]; len(w) > 0 {
		quoted := make([]string, len(w))
		for i := range w {
			quoted[i] = strconv.Quote(w[i])
		}
		r.tell(s, "prompt", w[0], "leave it out, or say what should be seen: fine fur, sharp reflections", fmt.Sprintf("%s says nothing to a model that follows instructions", strings.Join(quoted, ", ")))
	}
}

func nothingStays(r *run, s *subject) {
	if s.edits() && s.prompt != "" && s.english && s.Wanted.Mask == nil && !s.has(preserve) {
		r.tell(s, "prompt", "", `add what stays: "keep everything else unchanged"`, "the edit does not say what stays")
	}
}

var indexed = lazily(`(?i)\b(?:first|second|third|fourth|fifth|last|other|both|1st|2nd|3rd|one|two)\b|\b(?:image|picture|photo|reference|source|input)s?\s*#?\d|\b(?:images|pictures|photos|references)\b`)

func whichOne(r *run, s *subject) {
	if len(s.Wanted.Sources) > 1 && s.prompt != "" && s.english && !indexed().MatchString(s.bare) {
		r.tell(s, "prompt", "", `say "the first picture", "image 2"`, fmt.Sprintf("the edit has %d sources, and the prompt does not say which is which", len(s.Wanted.Sources)))
	}
}

// unseen reports whether nobody sees r, or takes it for something else. Joiners
// stay: emoji and Indic scripts need them.
func unseen(r rune) bool {
	switch r {
	case '\n', '\t', '\u200c', '\u200d', '\r':
		return false
	case '\u00a0', '\u2007', '\u202f', '\u2028', '\u2029', '\u3164', '\ufffc':
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// plain is a text on one line of ASCII letters, which most are.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return !strings.HasSuffix(text, " ")
}

var trailing = lazily(`[ \t]+(?:\r?\n|$)`)

func invisible(r *run, s *subject) {
	for _, t := range []struct{ field, text string }{{"prompt", s.prompt}, {"alt", s.Alt}} {
		if plain(t.text) {
			continue
		}
		if i := strings.IndexFunc(t.text, unseen); i >= 0 {
			c := []rune(t.text[i:])[0]
			r.tell(s, t.field, string(c), "imgbuild lint -fix takes it out", fmt.Sprintf("%s has the character %U, which nobody sees", t.field, c))
		} else if strings.Contains(t.text, "\r") {
			r.tell(s, t.field, "\r\n", "imgbuild lint -fix takes it out; write *.img.hcl text eol=lf into .gitattributes", t.field+" has lines that end with CR LF, so it is another request on another system")
		} else if m := trailing().FindString(t.text); m != "" {
			r.tell(s, t.field, m, "imgbuild lint -fix takes it out", t.field+" has spaces at the end of a line")
		}
	}
}
