package lint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// differs says in what two images that should be alike are not.
func differs(a, b *subject) string {
	for _, f := range []struct{ name, a, b string }{
		{"model", a.model(), b.model()}, {"style", a.Wanted.Style, b.Wanted.Style}, {"quality", a.Wanted.Quality, b.Wanted.Quality},
	} {
		if f.a != f.b {
			return f.name
		}
	}
	return ""
}

func (s *subject) model() string {
	if s.offer != nil {
		return s.offer.Model
	}
	return s.Wanted.Model
}

// similar is how much two sets of words must share, of what they have together.
const similar = 0.9

// nearDuplicates compares each prompt with those that share one of its rarest
// words: two sets that share nine tenths have one of the first tenth of either in
// common, if the words are in one order.
func nearDuplicates(r *run) {
	count := map[string]int{}
	sets := make([][]string, len(r.subjects))
	for i := range r.subjects {
		if r.subjects[i].edits() || len(r.subjects[i].words) < 6 {
			continue
		}
		w := slices.Clone(r.subjects[i].words)
		slices.Sort(w)
		sets[i] = slices.Compact(w)
		for _, word := range sets[i] {
			count[word]++
		}
	}
	type group struct {
		words []string
		of    []int // subjects with exactly these words
	}
	byText := map[string]*group{}
	var groups []*group
	for i, w := range sets {
		if w == nil {
			continue
		}
		slices.SortFunc(w, func(a, b string) int { return cmp.Or(cmp.Compare(count[a], count[b]), strings.Compare(a, b)) })
		text := strings.Join(w, " ")
		if byText[text] == nil {
			byText[text] = &group{words: w}
			groups = append(groups, byText[text])
		}
		byText[text].of = append(byText[text].of, i)
	}
	tell := func(a, b int) bool {
		x, y := &r.subjects[a], &r.subjects[b]
		what := differs(x, y)
		if what == "" || x.Address.Base() == y.Address.Base() {
			return false
		}
		r.tell(y, "prompt", y.prompt, "give both one preset, or make the prompts differ", fmt.Sprintf("the prompt is nearly that of %s, and the %s is another", x.Address, what))
		return true
	}
	index := map[string][]int{} // groups by one of their rarest words
	for n, g := range groups {
		told := map[int]bool{}
		for k := 1; k < len(g.of) && k < 50; k++ {
			told[g.of[k]] = tell(g.of[0], g.of[k])
		}
		first := len(g.words) - int(similar*float64(len(g.words))) + 1
		seen := map[int]bool{}
		for _, w := range g.words[:min(first, len(g.words))] {
			for _, m := range index[w] {
				if !seen[m] && jaccard(groups[m].words, g.words) >= similar && !told[g.of[0]] {
					told[g.of[0]] = tell(groups[m].of[0], g.of[0])
				}
				seen[m] = true
			}
			if len(index[w]) < 200 { // so many share a rare word that it is none
				index[w] = append(index[w], n)
			}
		}
	}
}

func jaccard(a, b []string) float64 {
	if min(len(a), len(b))*10 < max(len(a), len(b))*9 {
		return 0
	}
	in := make(map[string]bool, len(a))
	for _, w := range a {
		in[w] = true
	}
	both := 0
	for _, w := range b {
		if in[w] {
			both++
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

func drift(r *run) {
	byTag := map[string][]*subject{}
	for i := range r.subjects {
		for _, t := range r.subjects[i].Tags {
			byTag[t] = append(byTag[t], &r.subjects[i])
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(byTag)) {
		for _, f := range []struct {
			name  string
			of    func(*subject) string
			edits bool
		}{
			{"model", (*subject).model, false},
			{"style", func(s *subject) string { return s.Wanted.Style }, true},
		} {
			var list []*subject
			count := map[string]int{}
			for _, s := range byTag[tag] {
				if f.edits || !s.edits() {
					list = append(list, s)
					count[f.of(s)]++
				}
			}
			if len(list) < 3 {
				continue
			}
			for _, s := range list {
				for _, value := range slices.Sorted(maps.Keys(count)) {
					if value != f.of(s) && count[value]*3 >= len(list)*2 {
						r.tell(s, f.name, "", "write the same, or take the tag away", fmt.Sprintf("the %s is %s, and %d of %d images with the tag %q have %s", f.name, orNone(f.of(s)), count[value], len(list), tag, orNone(value)))
					}
				}
			}
		}
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return fmt.Sprintf("%q", s)
}

const (
	phraseWords  = 8
	phraseBlocks = 5
)

// repeated finds phrases that at least five blocks write out. What a preset or a
// local adds is written once, so the text of the files decides.
func repeated(r *run) {
	type use struct {
		blocks map[spec.Address]*subject
	}
	uses := map[string]*use{}
	for i := range r.subjects {
		s := &r.subjects[i]
		w := wordsOf(s.prompt)
		for k := 0; k+phraseWords <= len(w); k++ {
			text := strings.Join(w[k:k+phraseWords], " ")
			u := uses[text]
			if u == nil {
				u = &use{map[spec.Address]*subject{}}
				uses[text] = u
			}
			if base := s.Address.Base(); u.blocks[base] == nil {
				u.blocks[base] = s
			}
		}
	}
	var often []string
	for text, u := range uses {
		if len(u.blocks) >= phraseBlocks {
			often = append(often, text)
		}
	}
	slices.SortFunc(often, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(uses[b].blocks), len(uses[a].blocks)), strings.Compare(a, b))
	})
	told := map[spec.Address]bool{} // a longer phrase is many of eight words
	for _, text := range often[:min(len(often), 200)] {
		var spots []config.Spot
		var owners []*subject
		for _, base := range slices.Sorted(maps.Keys(uses[text].blocks)) {
			if s := uses[text].blocks[base]; !told[base] {
				owners, spots = append(owners, s), append(spots, config.Spot{Address: s.Address, Field: "prompt", Text: original(s.prompt, text)})
			}
		}
		if len(owners) < phraseBlocks {
			continue
		}
		own := owners[:0]
		lines := map[string]bool{}
		for i, p := range r.Project.Places(r.Source, spots) {
			if p.Found && !lines[fmt.Sprint(p.Range.File, p.Range.Start.Byte)] {
				lines[fmt.Sprint(p.Range.File, p.Range.Start.Byte)] = true
				own = append(own, owners[i])
			}
		}
		if len(own) < phraseBlocks {
			continue
		}
		for _, s := range own {
			told[s.Address.Base()] = true
		}
		r.tell(own[0], "prompt", original(own[0].prompt, text), "write a preset with it in before or after", fmt.Sprintf("%d blocks write %q", len(own), text))
	}
}

// original is the part of a text that has these words.
func original(text, words string) string {
	w := strings.Fields(words)
	lower := strings.ToLower(text)
	for from := 0; ; {
		i := strings.Index(lower[from:], w[0])
		if i < 0 {
			return words
		}
		from += i
		end, ok := from+len(w[0]), true
		for _, next := range w[1:] {
			k := strings.Index(lower[end:], next)
			if ok = k >= 0 && len(wordsOf(lower[end:end+k])) == 0; !ok {
				break
			}
			end += k + len(next)
		}
		if ok && end <= len(text) {
			return text[from:end]
		}
		from++
	}
}
