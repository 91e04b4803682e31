package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Options say how a text looks.
type Options struct {
	Palette diag.Palette
	Width   int       // columns of the terminal; 0 if there is none: then nothing is cut
	Now     time.Time // for the age of what was sent; zero to leave it out
}

func (o Options) width() int {
	if o.Width <= 0 {
		return 100
	}
	return max(o.Width, 40)
}

// Plan writes a plan for people: a line for each image that has something to
// do, its reasons below where they do not fit, and a summary.
func Plan(w io.Writer, p *plan.Plan, o Options) {
	c := o.Palette
	Keys(w, p.Keys, o)
	if p.Partial && (len(p.Steps) > 0 || p.Unchanged > 0) {
		fmt.Fprintln(w, c.Yellow("Partial plan: -target or -exclude leave something out."))
	}
	if p.Draft {
		fmt.Fprintln(w, c.Cyan("Draft: everything is sketched into .imgbuild/draft; lock and outputs stay as they are."))
	}
	if len(p.Steps)+len(p.Manifests) == 0 {
		fmt.Fprintf(w, "%s %s\n", c.Green("No changes."), upToDate(p.Unchanged))
		return
	}
	column := 0
	for i := range p.Steps {
		column = max(column, utf8.RuneCountInString(title(&p.Steps[i])))
	}
	for _, m := range p.Manifests {
		column = max(column, utf8.RuneCountInString(diag.Clean(m.Path)))
	}
	column = min(column, o.width()*2/5)
	for i := range p.Steps {
		step(w, &p.Steps[i], column, o)
	}
	for _, m := range p.Manifests {
		symbol, what := c.Cyan("±"), "write the manifest for "+m.Kind
		if m.Action == plan.DeleteFile {
			symbol, what = c.Red("-"), "delete the manifest"
		}
		row(w, symbol, diag.Clean(m.Path), what, "free", column, o)
	}
	if p.Unchanged > 0 {
		fmt.Fprintf(w, "  %s\n", c.Dim(fmt.Sprintf("%d unchanged", p.Unchanged)))
	}
	fmt.Fprintf(w, "\n%s %s\n", c.Bold("Plan:"), Totals(p.Summary))
	if p.PricesAsOf != "" {
		fmt.Fprintln(w, c.Dim("Prices are those of "+p.PricesAsOf+"; the replies tell what was really charged."))
	}
	if p.MaxCost != nil && p.Summary.Price > *p.MaxCost {
		fmt.Fprintln(w, c.Yellow(fmt.Sprintf("That is more than max_cost allows (%s): apply would stop there.", *p.MaxCost)))
	}
	for i := range p.Budgets {
		if b := &p.Budgets[i]; b.Exceeded() {
			fmt.Fprintln(w, c.Yellow(exceeded(b)))
		}
	}
}

// exceeded says that a budget will not do.
func exceeded(b *plan.Budget) string {
	s := fmt.Sprintf("The budget %q allows %s, and its images would cost %s", b.Name, b.MaxCost, b.Price)
	if b.Unpriced > 0 {
		s += fmt.Sprintf(", and %d of them have no known price", b.Unpriced)
	}
	return s + ": apply would skip what it does not allow."
}

// Protection is why a step of a protected image is held back.
func Protection(s *plan.Step) string {
	would := map[plan.Verb]string{
		plan.Generate: "generate it again", plan.Edit: "edit it again", plan.Render: "write over or move its files", plan.Restore: "put another picture in its place",
		plan.Move: "move its files", plan.Delete: "delete a file of it", plan.Forget: "forget it", plan.Record: "put another picture in its place",
	}[plan.Verb(s.Why[0].Field)]
	if s.N == 0 {
		would = "delete it"
	}
	reasons, _ := because(s)
	return "is protected, and the plan would " + would + ": " + reasons
}

// Unheeded is what ignore_changes holds back for one image, a line for each
// change.
func Unheeded(w io.Writer, ignored *plan.Ignored, o Options) {
	fmt.Fprintln(w, "ignore_changes leaves alone:")
	for _, r := range ignored.Changes {
		reasons, lines := because(&plan.Step{Why: []plan.Reason{r}})
		if len(lines) == 0 {
			fmt.Fprintf(w, "      %s\n", reasons)
		}
		for _, line := range lines {
			fmt.Fprintf(w, "      %s\n", line(o.Palette))
		}
	}
}

func upToDate(n int) string {
	switch n {
	case 0:
		return "There are no images."
	case 1:
		return "1 image is up to date."
	}
	return fmt.Sprintf("%d images are up to date.", n)
}

// Totals is the sentence that ends a plan.
func Totals(s plan.Summary) string {
	var parts []string
	if s.Buy > 0 {
		price := s.Price.String()
		if s.Unpriced > 0 {
			price += fmt.Sprintf(" and %d without a known price", s.Unpriced)
		}
		if s.Price == 0 {
			price = "price unknown"
		}
		parts = append(parts, fmt.Sprintf("%d to buy (%s)", s.Buy, price))
	}
	if s.Make > 0 {
		parts = append(parts, fmt.Sprintf("%d to make (free of charge)", s.Make))
	}
	if s.Free > 0 {
		parts = append(parts, fmt.Sprintf("%d free", s.Free))
	}
	if s.Delete > 0 {
		parts = append(parts, fmt.Sprintf("%d to delete", s.Delete))
	}
	if s.Files > s.Delete {
		parts = append(parts, fmt.Sprintf("%d %s to delete in all", s.Files, plural(s.Files, "file", "files")))
	}
	if s.Standing > 0 {
		parts = append(parts, fmt.Sprintf("%d held back", s.Standing))
	}
	if len(parts) == 0 {
		return "nothing to do."
	}
	return strings.Join(parts, ", ") + "."
}

func title(s *plan.Step) string {
	if s.From != "" {
		return diag.Clean(string(s.From)) + " → " + diag.Clean(string(s.Address))
	}
	return diag.Clean(string(s.Address))
}

// Symbol is the mark of a step.
func Symbol(s *plan.Step) string {
	switch s.Verb {
	case plan.Generate, plan.Edit:
		if slices.ContainsFunc(s.Why, func(r plan.Reason) bool { return r.Cause == plan.CauseNew }) {
			return "+"
		}
		return "~"
	case plan.Render:
		return "±"
	case plan.Restore, plan.Resume:
		return "⟲"
	case plan.Move, plan.Import:
		return "»"
	case plan.Delete, plan.Forget:
		return "-"
	case plan.Hold:
		return "?"
	}
	return "!"
}

func step(w io.Writer, s *plan.Step, column int, o Options) {
	c := o.Palette
	paint := map[string]func(string) string{"+": c.Green, "~": c.Yellow, "±": c.Cyan, "⟲": c.Cyan, "»": c.Cyan, "-": c.Red, "?": c.Yellow, "!": c.Red}
	symbol := Symbol(s)
	what, more := sentence(s, o.Now)
	name := title(s)
	room := roomFor(name, column, o)
	if o.Width > 0 && utf8.RuneCountInString(what) > room {
		if first, rest, ok := strings.Cut(what, "; "); s.Verb.Standing() && ok {
			// What to do about it must not be cut off.
			what = first
			more = append(more, plainLine(rest))
		}
		if utf8.RuneCountInString(what) > room {
			what = string([]rune(what)[:max(room-1, 8)]) + "…"
		}
	}
	row(w, paint[symbol](symbol), name, what, price(s), column, o)
	for _, line := range more {
		fmt.Fprintf(w, "      %s\n", line(c))
	}
}

// row writes one line of a plan.
func row(w io.Writer, symbol, name, what, price string, column int, o Options) {
	pad := strings.Repeat(" ", max(1, column-utf8.RuneCountInString(name)+2))
	fill := strings.Repeat(" ", max(1, roomFor(name, column, o)-utf8.RuneCountInString(what)+2))
	line := fmt.Sprintf("  %s %s%s%s%s%s", symbol, o.Palette.Bold(name), pad, what, fill, price)
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

// roomFor is the columns between a name and a price.
func roomFor(name string, column int, o Options) int {
	const prices = 15 // columns: two blanks and "price unknown"
	return o.width() - 4 - max(column, utf8.RuneCountInString(name)) - 2 - prices
}

// price is the last column. A standing step shows what is at stake.
func price(s *plan.Step) string {
	switch {
	case s.Verb.Paid() && !s.Priced:
		return "price unknown"
	case s.Verb.Paid() && s.Price == 0, !s.Verb.Paid() && !s.Verb.Standing():
		return "free"
	case s.Verb.Paid():
		return s.Price.String()
	case s.Price > 0:
		return "(" + s.Price.String() + ")"
	}
	return ""
}

type line = func(diag.Palette) string

func plainLine(s string) line { return func(diag.Palette) string { return s } }

// sentence is the middle column of a step and the lines below it.
func sentence(s *plan.Step, now time.Time) (string, []line) {
	var more []line
	for _, n := range s.Notes {
		if s.Verb.Paid() || s.Verb == plan.Import || s.Verb == plan.Render || s.Verb == plan.Restore || s.Verb == plan.Move || s.Drop {
			more = append(more, plainLine(diag.Clean(n)))
		}
	}
	if s.Verb != plan.Delete {
		for _, o := range s.Outputs {
			if o.Action == plan.DeleteFile {
				more = append(more, plainLine("delete "+diag.Clean(o.Path)))
			}
		}
	}
	again := Symbol(s) == "~"
	if len(s.Again) > 0 {
		more = append(more, plainLine("sent before, and perhaps paid: this sends it again"))
	}
	switch s.Verb {
	case plan.Generate, plan.Edit:
		text := string(s.Verb)
		if again {
			reasons, lines := because(s)
			more = append(lines, more...)
			if !has(s, plan.CauseMore) {
				text += " again"
			}
			if s.Need > 1 {
				text += fmt.Sprintf(" %d ×", s.Need)
			}
			return text + ": " + reasons, more
		}
		if s.Need > 1 {
			text += fmt.Sprintf(" %d ×", s.Need)
		}
		text += " " + diag.Clean(s.Request.Model)
		if s.Verb == plan.Edit {
			text += " of " + sources(s)
		}
		for _, v := range []string{s.Request.Size.String(), s.Request.AspectRatio, s.Request.Resolution, s.Request.Quality} {
			if v != "" {
				text += " " + diag.Clean(v)
			}
		}
		return text, more
	case plan.Render:
		reasons, lines := because(s)
		return fmt.Sprintf("render %s: %s", files(s, plan.Write), reasons), append(lines, more...)
	case plan.Restore:
		reasons, lines := because(s)
		return fmt.Sprintf("restore %s (%s)", files(s, plan.Write), reasons), append(lines, more...)
	case plan.Move:
		if n := files(s, plan.Write); n != "the record" {
			return "move, and write " + n, more
		}
		return "move", more
	case plan.Import:
		text := "import " + diag.Clean(s.Import)
		if n := files(s, plan.Write); n != "the record" {
			text += ", and write " + n
		}
		return text, more
	case plan.Delete:
		return "delete " + files(s, plan.DeleteFile) + kept(s), more
	case plan.Forget:
		return "forget" + kept(s), nil
	case plan.Record:
		return "record that its postcondition refuses what was paid for: " + diag.Clean(s.Why[len(s.Why)-1].New), nil
	}
	return standing(s, now), more
}

// Age is how long ago something was, coarse enough to be read at a glance; ""
// if that is not known.
func Age(now, then time.Time) string {
	d := now.Sub(then)
	switch {
	case now.IsZero() || then.IsZero() || d < 0:
		return ""
	case d < time.Hour:
		return "within the hour"
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

func standing(s *plan.Step, now time.Time) string {
	sent := "sent"
	if age := Age(now, s.Sent); age != "" {
		sent += " " + age
	}
	var parts, foreign []string
	for _, r := range s.Why {
		switch r.Cause {
		case plan.CauseUnanswered:
			parts = append(parts, "in doubt: "+sent+" and not answered; apply -retry-in-doubt sends it again")
		case plan.CauseLost:
			parts = append(parts, "in doubt: it may have been paid for, what the journal knew of that is lost; apply -retry-in-doubt buys it")
		case plan.CauseBadReply:
			parts = append(parts, fmt.Sprintf("refused: %s; apply -retry-refused asks again", either(diag.Clean(r.New), r.Field)))
		case plan.CauseUnfit:
			parts = append(parts, fmt.Sprintf("refused by its postcondition: %s; apply -retry-refused makes another", diag.Clean(r.New)))
		case plan.CauseForeign:
			foreign = append(foreign, r.New)
		case plan.CauseAltered:
			parts = append(parts, fmt.Sprintf("conflict: %s was changed by someone; delete it to have it restored, or keep it under another name", diag.Clean(r.New)))
		case plan.CauseNoOriginal:
			if r.Field == "edit" {
				parts = append(parts, fmt.Sprintf("missing: what it was edited from (%.12s) is not in the store any more, and ignore_changes holds on to it; bring the file back, or leave edit out of ignore_changes", r.New))
				continue
			}
			original := fmt.Sprintf("the original of %s (%.12s) is", diag.Clean(r.Field), r.New)
			if r.Old != "" {
				original = fmt.Sprintf("%s is made of the original of %s (%.12s), which is", diag.Clean(r.Old), diag.Clean(r.Field), r.New)
			}
			remedy := "copy .imgbuild/store from where it was made"
			if r.Copy != "" {
				remedy = "bring back " + diag.Clean(r.Copy) + ", which was a copy (git checkout)"
			}
			parts = append(parts, fmt.Sprintf("missing: %s not in the store here; %s, or -replace buys it again", original, remedy))
		case plan.CauseDelivered:
			parts = append(parts, "paid for and not fetched yet; the next apply fetches it, free")
		case plan.CauseAccepted:
			parts = append(parts, sent+", and not finished when last asked for; apply asks again, free; -retry-in-doubt buys it anew")
		case plan.CauseProtected:
			parts = append(parts, strings.TrimPrefix(Protection(s), "is "))
		case plan.CauseWaits:
			parts = append(parts, "waits for "+diag.Clean(r.New))
		}
	}
	switch n := len(foreign); {
	case n == 1:
		parts = append(parts, fmt.Sprintf("conflict: %s is not ours; move it away or choose another path", diag.Clean(foreign[0])))
	case n > 3:
		foreign = append(foreign[:2:2], fmt.Sprintf("%d more", n-2))
		fallthrough
	case n > 1:
		parts = append(parts, fmt.Sprintf("conflict: %s are not ours; move them away or choose other paths", diag.Clean(strings.Join(foreign, ", "))))
	}
	return strings.Join(parts, "; ")
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// sameMask reports whether two restorings differ in nothing but the source, which
// stands last.
func sameMask(old, new string) bool {
	a, b := strings.LastIndexByte(old, ':'), strings.LastIndexByte(new, ':')
	return a >= 0 && b >= 0 && old[:a] == new[:b]
}

func has(s *plan.Step, c plan.Cause) bool {
	return slices.ContainsFunc(s.Why, func(r plan.Reason) bool { return r.Cause == c })
}

func kept(s *plan.Step) string {
	if !has(s, plan.CauseAltered) {
		return ""
	}
	return " (a file that someone changed stays)"
}

// sources names what a step edits; what is in the same module is called as it is
// called there.
func sources(s *plan.Step) string {
	modules, _, _ := s.Address.Split()
	names := make([]string, len(s.Sources))
	for i, s := range s.Sources {
		names[i] = diag.Clean(strings.TrimPrefix(s.String(), modules))
	}
	return strings.Join(names, ", ")
}

func files(s *plan.Step, a plan.Action) string {
	var paths []string
	for _, o := range s.Outputs {
		if o.Action == a && !o.Adopt {
			paths = append(paths, diag.Clean(o.Path))
		}
	}
	switch len(paths) {
	case 0:
		if a == plan.Write {
			return "the record"
		}
		return "nothing"
	case 1:
		return paths[0]
	}
	return fmt.Sprintf("%d files", len(paths))
}

// because is the reasons of a step: short ones in one clause, long values on
// lines of their own.
func because(s *plan.Step) (string, []line) {
	var parts []string
	var lines []line
	add := func(p string) {
		if !slices.Contains(parts, p) {
			parts = append(parts, p)
		}
	}
	// shapes tells how a drawn mask differs; the one of a file is a digest. It
	// stands second in a text, behind how it is meant.
	shapes := func(old, new, between string) {
		drawn := func(text string) string {
			parts := strings.SplitN(text, between, 3)
			if parts[0] != provider.Drawn || len(parts) < 2 {
				return ""
			}
			return strings.ReplaceAll(parts[1], ";", " ")
		}
		if a, b := drawn(old), drawn(new); a != b && a != "" && b != "" {
			lines = append(lines, func(c diag.Palette) string { return "mask  " + words(a, b, c) })
		}
	}
	for _, r := range s.Why {
		old, new := diag.Clean(r.Old), diag.Clean(r.New)
		switch r.Cause {
		case plan.CauseChanged:
			if r.Field == "mask" {
				add("mask changed")
				shapes(r.Old, r.New, " ")
				continue
			}
			if r.Sensitive {
				add(r.Field + " changed")
				lines = append(lines, plainLine(r.Field+"  (sensitive value)"))
				continue
			}
			if r.Field == "prompt" || len(old)+len(new) > 40 {
				add(r.Field + " changed")
				lines = append(lines, func(c diag.Palette) string { return r.Field + "  " + words(r.Old, r.New, c) })
				continue
			}
			add(fmt.Sprintf("%s %s → %s", r.Field, either(old, "none"), either(new, "none")))
		case plan.CauseSource:
			add("its source changes")
		case plan.CauseMore:
			add(fmt.Sprintf("n %s → %s", old, new))
		case plan.CauseAsked:
			add("asked by " + r.Field)
		case plan.CauseBought:
			add("bought before")
		case plan.CauseImported:
			add("imported from " + new)
		case plan.CauseShared:
			add("shared with " + new)
		case plan.CauseRenamed:
			add("was " + old)
		case plan.CauseAbsent:
			add("missing on disk")
		case plan.CauseRecipe:
			switch {
			case r.Field == "path" && old == "":
				add("new file")
			case r.Field == "restore" && old == "":
				add("original put back outside the mask")
			case r.Field == "restore" && new == "":
				add("original no longer put back outside the mask")
			case r.Field == "restore" && sameMask(r.Old, r.New):
				add("its source changes")
			case r.Field == "restore":
				add("mask changed")
				shapes(r.Old, r.New, ":")
			case r.Field == "label":
				switch {
				case old == "":
					add("label added")
				case new == "":
					add("label removed")
				default:
					add("label changed")
				}
			default:
				add(fmt.Sprintf("%s %s → %s", r.Field, either(old, "none"), either(new, "none")))
			}
		case plan.CausePicked:
			add(fmt.Sprintf("pick %s → %s", old, new))
		case plan.CauseNew:
			add("new")
		case plan.CauseUnwanted:
			add("the configuration no longer has it")
		case plan.CauseSensitive:
			add(diag.Clean(r.Field) + " is sensitive now and leaves the lock")
		}
	}
	return strings.Join(parts, ", "), lines
}

// Why is the reasons of a step in full sentences, a line each.
func Why(w io.Writer, s *plan.Step, o Options) {
	step(w, s, utf8.RuneCountInString(title(s)), o)
	for _, a := range s.After {
		fmt.Fprintf(w, "      after %s\n", diag.Clean(string(a)))
	}
	for _, out := range s.Outputs {
		fmt.Fprintf(w, "      %s %s  %s\n", out.Action, diag.Clean(out.Path), out.Recipe)
	}
}

// PlanJSON writes the documented JSON of a plan: the file of plan -out.
func PlanJSON(w io.Writer, p *plan.Plan) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(p)
}

// Keys tells where keys go and come from, other than by default.
func Keys(w io.Writer, keys []plan.Key, o Options) {
	for i := range keys {
		for _, line := range KeyText(&keys[i]) {
			fmt.Fprintln(w, o.Palette.Yellow(diag.Clean(line)))
		}
	}
}

// KeyText says where a key goes and comes from.
func KeyText(k *plan.Key) (lines []string) {
	if k.Endpoint != "" {
		lines = append(lines, fmt.Sprintf("%s: requests and its key go to %s, which is not the provider's own server.", k.Provider, k.Endpoint))
	}
	if len(k.Command) > 0 {
		lines = append(lines, fmt.Sprintf("%s: apply starts a program for its key: %s", k.Provider, strings.Join(k.Command, " ")))
	}
	return lines
}

// run is words that stand in both of two texts, or in one of them.
type run struct {
	in    side
	words []string
}

type side int

const (
	inBoth side = iota
	inOld
	inNew
)

// runs compares two texts word by word. It is nil for texts too long to compare.
func runs(old, new string) (out []run) {
	a, b := strings.Fields(old), strings.Fields(new)
	// The longest common run of words, by the usual table; prompts are short.
	if len(a)*len(b) > 1<<20 {
		return nil
	}
	length := make([][]int, len(a)+1)
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var gone, came []string
	flush := func() {
		if len(gone) > 0 {
			out = append(out, run{inOld, gone})
		}
		if len(came) > 0 {
			out = append(out, run{inNew, came})
		}
		gone, came = nil, nil
	}
	keep := func(w string) {
		flush()
		if n := len(out); n > 0 && out[n-1].in == inBoth {
			out[n-1].words = append(out[n-1].words, w)
			return
		}
		out = append(out, run{inBoth, []string{w}})
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			keep(a[i])
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			gone = append(gone, a[i])
			i++
		default:
			came = append(came, b[j])
			j++
		}
	}
	gone, came = append(gone, a[i:]...), append(came, b[j:]...)
	flush()
	return out
}

// words shows what changed between two texts, word by word, as wdiff does:
// [-old-]{+new+}.
func words(old, new string, c diag.Palette) string {
	all := runs(old, new)
	if all == nil && old != new {
		return tooLong(old, new)
	}
	var b strings.Builder
	for i, r := range all {
		text := diag.Clean(strings.Join(r.words, " "))
		if i > 0 && !(r.in == inNew && all[i-1].in == inOld) {
			b.WriteByte(' ')
		}
		switch r.in {
		case inOld:
			text = c.Red("[-" + text + "-]")
		case inNew:
			text = c.Green("{+" + text + "+}")
		}
		b.WriteString(text)
	}
	return `"` + b.String() + `"`
}

func tooLong(old, new string) string {
	return fmt.Sprintf("%d words, now %d", len(strings.Fields(old)), len(strings.Fields(new)))
}

// Money prints an amount, and "free" for none.
func Money(m provider.Money) string {
	if m == 0 {
		return "free"
	}
	return m.String()
}
