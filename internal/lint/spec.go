package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/spec"
)

func imitated(r *run, s *subject) {
	if w := s.Wanted.Style; s.offer != nil && w != "" && s.offer.Styles == nil && s.offer.StyleWords[w] != "" && !slices.Contains(s.Wanted.Sensitive, "style") {
		r.tell(s, "style", w, "leave it, or say it in the prompt yourself", fmt.Sprintf("%s has no parameter for style, so %q becomes words of the prompt", s.offer.Model, s.offer.StyleWords[w]))
	}
}

const endsSoon = 60 // days

func ending(r *run, s *subject) {
	if s.offer == nil {
		return
	}
	o := s.offer
	hint := "imgbuild models lists the others"
	if o.ServedBy != "" {
		hint = fmt.Sprintf("write model = %q", o.ServedBy)
	}
	today, err := time.Parse(time.DateOnly, r.Today)
	switch {
	case o.EndOfLife != "" && err == nil && o.EndOfLife <= r.Today:
		r.tell(s, "model", s.Wanted.Model, hint, fmt.Sprintf("the model %s ended on %s", o.Model, o.EndOfLife))
	case o.EndOfLife != "" && err == nil && o.EndOfLife <= today.AddDate(0, 0, endsSoon).Format(time.DateOnly):
		r.tell(s, "model", s.Wanted.Model, hint, fmt.Sprintf("the model %s ends on %s", o.Model, o.EndOfLife))
	case s.Wanted.Model != "" && s.Wanted.Model != o.Model:
		r.tell(s, "model", s.Wanted.Model, fmt.Sprintf("write model = %q", o.Model), fmt.Sprintf("%s is an alias, now of %s, and may mean another model tomorrow", s.Wanted.Model, o.Model))
	}
}

func unknownPrice(r *run, s *subject) {
	if s.offer == nil {
		return
	}
	res, problems := spec.Resolve(s.Image, s.offer, spec.Pins{})
	if len(problems) > 0 {
		return // validate tells
	}
	if s.offer.Price != nil {
		if _, ok := s.offer.Price(&res.Request); ok {
			return
		}
	}
	field, what := "model", s.offer.Model
	for _, f := range []struct{ name, value string }{{"quality", s.Wanted.Quality}, {"resolution", s.Wanted.Resolution}} {
		if f.value != "" {
			field, what = f.name, s.offer.Model+" with "+f.name+" = \""+f.value+"\""
		}
	}
	r.tell(s, field, "", "imgbuild models lists prices", "the price of "+what+" is not known")
}

func noAlt(r *run, s *subject) {
	if s.Alt == "" && !s.Decorative {
		r.tell(s, "alt", "", "say what is to be seen: alt = \"…\", or decorative = true", "it has neither alt nor decorative")
	}
}

func altIsPrompt(r *run, s *subject) {
	if s.Alt == "" || s.prompt == "" {
		return
	}
	asked, said := content(wordsOf(s.prompt)), set(strings.Join(wordsOf(s.Alt), " "))
	if len(asked) == 0 {
		return
	}
	shared := 0
	for _, w := range asked {
		if said[w] {
			shared++
		}
	}
	directions := s.has(medium, photo, painted, filler, imperative) || s.has(composition) && s.has(light)
	equal := strings.EqualFold(strings.TrimSpace(s.Alt), strings.TrimSpace(s.prompt))
	if equal && (directions || len(asked) >= 12) || len(asked) >= 8 && shared*10 >= len(asked)*8 && directions {
		r.tell(s, "alt", s.Alt, "say what is to be seen, and leave out how it is drawn", "alt is the prompt, or most of it")
	}
}

var (
	ofPicture = lazily(`(?i)^\s*(?:(?:this is )?(?:an?|the)\s+)?(?:image|picture|photo|photograph|graphic|screenshot) (?:of|showing|that shows) `)
	fileName  = lazily(`(?i)^\S+\.(?:png|jpe?g|webp|avif|gif|svg)$`)
	lone      = lazySet("logo photo image picture icon banner graphic photograph illustration hero thumbnail cover screenshot placeholder")
)

func altOfPicture(r *run, s *subject) {
	alt := strings.TrimSpace(s.Alt)
	if alt == "" {
		return
	}
	m := ""
	if strings.Contains(alt, " of ") || strings.Contains(alt, " show") || strings.Contains(alt, " OF ") {
		m = ofPicture().FindString(s.Alt)
	}
	switch {
	case m != "":
		r.tell(s, "alt", strings.TrimSpace(m), "imgbuild lint -fix takes it out", fmt.Sprintf("alt begins with %q, which a screen reader says already", strings.TrimSpace(m)))
	case !strings.Contains(alt, " ") && fileName().MatchString(alt) || alt == path.Base(s.Path):
		r.tell(s, "alt", alt, "say what is to be seen", fmt.Sprintf("alt is the name of a file, %q", alt))
	case lone()[strings.ToLower(strings.TrimRight(alt, "."))]:
		r.tell(s, "alt", alt, "say of what, or what it says", fmt.Sprintf("alt is only %q", alt))
	}
}

const longestAlt = 150 // characters

func longAlt(r *run, s *subject) {
	if n := utf8.RuneCountInString(s.Alt); n > longestAlt {
		r.tell(s, "alt", s.Alt, "shorten it, and write the rest into caption", fmt.Sprintf("alt has %d characters, and %d are enough", n, longestAlt))
	}
}

func textNotInAlt(r *run, s *subject) {
	if s.Alt == "" || s.edits() {
		return
	}
	alt := " " + strings.Join(wordsOf(s.Alt), " ") + " "
	if !s.has(textThing, textWanted) {
		return
	}
	for _, q := range s.quotes {
		if w := wordsOf(q); len(w) > 0 && !strings.Contains(alt, " "+strings.Join(w, " ")+" ") {
			r.tell(s, "alt", "", "add it to alt", fmt.Sprintf("the picture shall say %q, and its alt does not", q))
		}
	}
}

func deepFake(r *run, s *subject) {
	if s.Unlabelled && s.has(photo) && s.has(people) && (s.offer == nil || !s.offer.Procedural) {
		r.tell(s, "label", "", "remove label = false", "it is a photograph of people, and with label = false no file says that a model made it")
	}
}

func noLicense(r *run) {
	some := slices.ContainsFunc(r.subjects, func(s subject) bool { return s.License+s.Credit != "" })
	for i := range r.subjects {
		if s := &r.subjects[i]; some && s.License+s.Credit == "" {
			r.tell(s, "license", "", "write license = …, or credit, here or in its preset", "it has neither license nor credit, and other images of the project have")
		}
	}
}

const defaultMaxBytes = 2_000_000

func heavy(r *run) {
	most := int64(r.Project.Settings.Lint.MaxBytes)
	if most == 0 {
		most = defaultMaxBytes
	}
	for i := range r.subjects {
		s := &r.subjects[i]
		e := r.Lock.Get(s.Address)
		if e == nil {
			continue
		}
		for _, o := range e.Outputs {
			if o.Bytes <= most {
				continue
			}
			field := "path"
			for k := range s.Renditions {
				if s.Renditions[k].Path == o.Path {
					field = s.Renditions[k].Field("path")
				}
			}
			r.add(Found{Subject: o.Path, field: field, Finding: diag.Finding{Address: string(s.Address), Hint: "write a JPEG, WebP or AVIF, a lower quality or fewer pixels; or raise lint { max_bytes }",
				Text: fmt.Sprintf("%s: %s has %.1f MB, and %.1f MB are allowed", s.Address, o.Path, float64(o.Bytes)/1e6, float64(most)/1e6)}}, config.Spot{Address: s.Address, Field: field})
		}
	}
}
