package lint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/config"
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
	count := map[string]int32{}
	words := make([][]string, len(r.subjects))
	for i := range r.subjects {
		if r.subjects[i].edits() || len(r.subjects[i].words) < 6 {
			continue
		}
		w := slices.Clone(r.subjects[i].words)
		slices.Sort(w)
		words[i] = slices.Compact(w)
		for _, word := range words[i] {
			count[word]++
		}
	}
	rank := map[string]int32{}
	order := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(cmp.Compare(count[a], count[b]), strings.Compare(a, b)) })
	for n, word := range order {
		rank[word] = int32(n)
	}
	type group struct {
		set []int32 // ranks of its words, the rarest first
		of  []int   // subjects with exactly these words
	}
	byText := map[string]int{}
	var groups []group
	for i, w := range words {
		if w == nil {
			continue
		}
		text := strings.Join(w, " ")
		n, ok := byText[text]
		if !ok {
			n = len(groups)
			byText[text] = n
			set := make([]int32, len(w))
			for k := range w {
				set[k] = rank[w[k]]
			}
			slices.Sort(set)
			groups = append(groups, group{set: set})
		}
		groups[n].of = append(groups[n].of, i)
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
	index := make([][]int32, len(order)) // groups by one of their rarest words
	for n := range groups {
		g := &groups[n]
		for k := 1; k < len(g.of) && k < maxAlike; k++ {
			tell(g.of[0], g.of[k])
		}
		told := false
		first := len(g.set) - int(similar*float64(len(g.set))) + 1
		for _, word := range g.set[:min(first, len(g.set))] {
			for _, m := range index[word] {
				other := &groups[m]
				if !told && differs(&r.subjects[other.of[0]], &r.subjects[g.of[0]]) != "" && alike(other.set, g.set) {
					told = tell(other.of[0], g.of[0])
				}
			}
			if len(index[word]) < maxAlike { // so many share a rare word that it is none
				index[word] = append(index[word], int32(n))
			}
		}
	}
}

// maxAlike bounds the work on a project whose prompts are all alike.
const maxAlike = 100

// alike reports whether two sorted sets share nine tenths of what they have.
func alike(a, b []int32) bool {
	if min(len(a), len(b))*10 < max(len(a), len(b))*9 {
		return false
	}
	both := 0
	for i, k := 0, 0; i < len(a) && k < len(b); {
		switch {
		case a[i] == b[k]:
			both, i, k = both+1, i+1, k+1
		case a[i] < b[k]:
			i++
		default:
			k++
		}
	}
	return float64(both) >= similar*float64(len(a)+len(b)-both)
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
	uses := map[string][]int32{} // subjects with a phrase, one of a block
	for i := range r.subjects {
		s := &r.subjects[i]
		if i > 0 && s.Address.Base() == r.subjects[i-1].Address.Base() {
			continue // sorted by address: another instance of the block
		}
		words := wordsOf(s.prompt)
		for k := 0; k+phraseWords <= len(words); k++ {
			text := strings.Join(words[k:k+phraseWords], " ")
			if list := uses[text]; len(list) == 0 || list[len(list)-1] != int32(i) {
				uses[text] = append(list, int32(i))
			}
		}
	}
	var often []string
	for text, list := range uses {
		if len(list) >= phraseBlocks {
			often = append(often, text)
		}
	}
	if len(often) == 0 {
		return
	}
	slices.SortFunc(often, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(uses[b]), len(uses[a])), strings.Compare(a, b))
	})
	if often = r.inFiles(often); len(often) == 0 {
		return
	}
	rule := r.rule
	r.later = func(written []string, at []config.Place) {
		r.rule = rule
		told := make([]bool, len(r.subjects)) // a longer phrase is many of eight words
		for _, text := range often {
			var own []int32
			for _, i := range uses[text] {
				if !told[i] && strings.Contains(written[i], " "+text+" ") {
					own = append(own, i)
				}
			}
			if len(own) < phraseBlocks {
				continue
			}
			for _, i := range own {
				told[i] = true
			}
			s := &r.subjects[own[0]]
			r.tell(s, "prompt", text, "write a preset with it in before or after", fmt.Sprintf("%d blocks write %q", len(own), text))
			r.found[len(r.found)-1].Range = at[own[0]].Range
		}
	}
}

// inFiles are those of the phrases that the files have often enough, wherever it
// be: to look closer is slower.
func (r *run) inFiles(phrases []string) []string {
	count := make(map[string]int, len(phrases))
	for _, p := range phrases {
		count[p] = 0
	}
	for _, file := range r.Project.Files() {
		b, err := r.Source.Read(file, maxLintFile)
		if err != nil {
			continue
		}
		words := wordsOf(string(b))
		for k := 0; k+phraseWords <= len(words); k++ {
			text := strings.Join(words[k:k+phraseWords], " ")
			if n, ok := count[text]; ok {
				count[text] = n + 1
			}
		}
	}
	return slices.DeleteFunc(phrases, func(p string) bool { return count[p] < phraseBlocks })
}

// writtenOut is the words of each prompt as its attribute has them in the file,
// each attribute for one subject only.
func (r *run) writtenOut(prompts []config.Place) []string {
	type value struct {
		file string
		at   int
	}
	seen := map[value]bool{}
	texts := map[string][]byte{}
	out := make([]string, len(prompts))
	for i, p := range prompts {
		if p.Range == nil || seen[value{p.Range.File, p.Range.Start.Byte}] {
			continue
		}
		file := p.Range.File
		seen[value{file, p.Range.Start.Byte}] = true
		if texts[file] == nil {
			texts[file], _ = r.Source.Read(file, maxLintFile)
		}
		if p.Range.End.Byte <= len(texts[file]) {
			out[i] = " " + strings.Join(wordsOf(string(texts[file][p.Range.Start.Byte:p.Range.End.Byte])), " ") + " "
		}
	}
	return out
}
