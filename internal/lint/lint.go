package lint

import (
	"cmp"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Rule is one thing that is looked for.
type Rule struct {
	Code     string
	Severity diag.Severity // unless the configuration says another one
	// Certain: it states a fact and may be an error. Else it is advice.
	Certain bool
	Title   string // what is wrong, as a list of codes tells it
	Why     string // why it matters, and what exactly is looked for
	Bad     string // how it is written; HCL
	Good    string // and how it is better
	Source  string // whose advice it is
	Fixes   bool   // imgbuild lint -fix mends it

	image   func(*run, *subject)
	project func(*run)
}

// Input is what the rules look at.
type Input struct {
	Project  *config.Project
	Source   config.Source // the files of the project
	Offer    func(provider, model string) (*provider.Offer, bool)
	Lock     *lock.Lock // nil for none
	Today    string     // YYYY-MM-DD
	Baseline *Baseline  // nil for none
	// Partial: the configuration has errors, so that some findings may not show;
	// what would be said of comments and a baseline that are of no use is left out.
	Partial bool
}

// Found is a finding, and what is needed to know or to mend it.
type Found struct {
	diag.Finding
	Subject string // the offending text, "" if something is missing
	field   string
	literal *diag.Range
}

// Result is what there is to tell.
type Result struct {
	Found     []Found
	Ignored   int // by comments
	Baselined int
}

// List is the findings alone.
func (r *Result) List() diag.List {
	l := make(diag.List, len(r.Found))
	for i := range r.Found {
		l[i] = r.Found[i].Finding
	}
	return l
}

// run is one pass of all rules.
type run struct {
	Input
	rule     *Rule
	severity map[string]diag.Severity // of those that are not off
	subjects []subject
	names    [][]string // of the configuration, as words
	found    []Found
	spots    []config.Spot

	// later goes on once it is known how the prompts stand in the files, and where:
	// to parse them is most of the work, and done once.
	later func(written []string, at []config.Place)
}

// subject is an image and what all rules want to know of it.
type subject struct {
	*spec.Image
	prompt string   // "" if it is sensitive
	bare   string   // prompt without what stands in quotes
	quotes []string // what stands in them
	words  []string // of bare, in lower case
	hits   [lists][]string
	offer  *provider.Offer // nil if there is none
	// english: so that a word that is not found is missing.
	english bool
}

// Run applies all rules that are on.
func Run(in Input) *Result {
	r := &run{Input: in, severity: Severities(in.Project.Settings.Lint)}
	for _, name := range in.Project.Settings.Lint.Names {
		if w := wordsOf(name); len(w) > 0 {
			r.names = append(r.names, w)
		}
	}
	if r.Lock == nil {
		r.Lock = &lock.Lock{}
	}
	r.subjects = make([]subject, len(in.Project.Images))
	for i := range r.subjects {
		r.subjects[i] = r.look(&in.Project.Images[i])
	}
	for i := range Rules {
		r.rule = &Rules[i]
		if r.severity[r.rule.Code] == "" {
			continue
		}
		if r.rule.image != nil {
			for k := range r.subjects {
				r.rule.image(r, &r.subjects[k])
			}
		}
		if r.rule.project != nil {
			r.rule.project(r)
		}
	}
	r.place()
	return r.withhold()
}

func (r *run) look(im *spec.Image) subject {
	s := subject{Image: im}
	s.offer, _ = r.Offer(im.Wanted.Provider, im.Wanted.Model)
	if slices.Contains(im.Wanted.Sensitive, "prompt") {
		return s
	}
	s.prompt = im.Wanted.Prompt
	s.bare, s.quotes = cutQuotes(s.prompt)
	s.words = wordsOf(s.bare)
	s.hits = match(s.words)
	s.english = isEnglish(s.bare, s.words)
	return s
}

// tell notes a finding about a field of an image. offending is the text that is
// wrong, "" where something is missing.
func (r *run) tell(s *subject, field, offending, hint, text string) {
	at := strings.TrimSpace(offending)
	if len(at) > longestSpot {
		at = ""
	}
	r.add(Found{Subject: offending, field: field, Finding: diag.Finding{Address: string(s.Address), Text: string(s.Address) + ": " + text, Hint: hint}},
		config.Spot{Address: s.Address, Field: field, Text: at})
}

// longestSpot is how much is looked for in a file; what is longer is the value as
// a whole.
const longestSpot = 200

const longestText = 400 // characters

func (r *run) add(f Found, at config.Spot) {
	f.Code = r.rule.Code
	if runes := []rune(f.Text); len(runes) > longestText {
		f.Text = string(runes[:longestText]) + "…"
	}
	f.Severity = r.severity[r.rule.Code]
	r.found, r.spots = append(r.found, f), append(r.spots, at)
}

// milder makes the last finding a warning at most: what it rests on is less
// certain than the rest of its rule.
func (r *run) milder() {
	if f := &r.found[len(r.found)-1]; f.Severity == diag.Error {
		f.Severity = diag.Warning
	}
}

// place finds where the findings stand in the files.
func (r *run) place() {
	spots := r.spots
	if r.later != nil {
		for i := range r.subjects {
			spots = append(spots, config.Spot{Address: r.subjects[i].Address, Field: "prompt"})
		}
	}
	places := r.Project.Places(r.Source, spots)
	for i := range r.found {
		if f := &r.found[i]; f.Range == nil {
			f.Range, f.literal = places[i].Range, places[i].Literal
		}
	}
	if r.later != nil {
		prompts := places[len(r.found):]
		r.later(r.writtenOut(prompts), prompts)
	}
}

// withhold leaves out what comments and the baseline have.
func (r *run) withhold() *Result {
	out := &Result{}
	found := r.ignore(out)
	if r.Baseline != nil {
		found = r.Baseline.apply(r, found, out)
	}
	slices.SortStableFunc(found, func(a, b Found) int { return cmp.Compare(a.Code, b.Code) })
	out.Found = found
	return out
}

// Severities are those of the rules that are on.
func Severities(c config.Lint) map[string]diag.Severity {
	out := map[string]diag.Severity{}
	for i := range Rules {
		out[Rules[i].Code] = Rules[i].Severity
	}
	set := func(list []string, s diag.Severity) {
		for _, code := range list {
			if rule := Lookup(code); rule != nil && (s != diag.Error || rule.Certain) {
				out[code] = s
			}
		}
	}
	set(c.Info, diag.Info)
	set(c.Warning, diag.Warning)
	set(c.Error, diag.Error)
	for _, code := range c.Off {
		delete(out, code)
	}
	return out
}

// Lookup is the rule of a code, or nil.
func Lookup(code string) *Rule {
	if i, ok := slices.BinarySearchFunc(Rules, code, func(r Rule, code string) int { return cmp.Compare(r.Code, code) }); ok {
		return &Rules[i]
	}
	return nil
}

// Codes are those of all rules, sorted.
func Codes() []string {
	out := make([]string, len(Rules))
	for i := range Rules {
		out[i] = Rules[i].Code
	}
	return out
}
