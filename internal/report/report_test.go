package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

var update = flag.Bool("update", false, "rewrite golden files")

// every has a step of each verb, and foreign text that must not reach a terminal.
func every() *plan.Plan {
	why := func(c plan.Cause, field, old, new string) []plan.Reason {
		return []plan.Reason{{Cause: c, Field: field, Old: old, New: new}}
	}
	cents := provider.Dollar / 100
	limit := 5 * cents
	p := &plan.Plan{Tool: "test", Unchanged: 112, MaxCost: &limit, PricesAsOf: "2026-11-22", Steps: []plan.Step{
		{Address: "image.hero", Verb: plan.Generate, Why: why(plan.CauseNew, "", "", ""), Need: 4, Price: 8 * cents, Priced: true,
			Request: provider.Request{Model: "grok-imagine-image", AspectRatio: "16:9"}, Notes: []string{"style by words in the prompt"}},
		{Address: "image.hero_night", Verb: plan.Edit, Why: why(plan.CauseSource, "", "", "image.hero"), Need: 1, Price: 2 * cents, Priced: true},
		{Address: `image.post["solstice"]`, Verb: plan.Generate, Need: 1, Price: 2 * cents, Priced: true,
			Why: why(plan.CauseChanged, "prompt", "A bonfire on a beach\x1b[2J at dusk", "A bonfire on a frozen lake at dusk")},
		{Address: "image.odd", Verb: plan.Generate, Why: why(plan.CauseMore, "n", "1", "3"), Need: 2},
		{Address: "image.card", Verb: plan.Render, Why: why(plan.CauseRecipe, "width", "800", "640"),
			Outputs: []plan.Output{{Path: "a.jpg", Action: plan.Write}, {Path: "b.jpg", Action: plan.Write}, {Path: "old.jpg", Action: plan.DeleteFile}}},
		{Address: "image.top", From: "image.banner", Verb: plan.Move, Why: why(plan.CauseRenamed, "", "image.banner", "")},
		{Address: "image.logo", Verb: plan.Restore, Why: why(plan.CauseAbsent, "", "", "static/logo.png"), Outputs: []plan.Output{{Path: "static/logo.png", Action: plan.Write}}},
		{Address: "image.old", Verb: plan.Delete, Drop: true, Outputs: []plan.Output{{Path: "static/img/old.png", Action: plan.DeleteFile}}},
		{Address: "image.doubt", Verb: plan.Hold, Price: 2 * cents, Why: why(plan.CauseUnanswered, "", "", "x-1")},
		{Address: "image.refused", Verb: plan.Refused, Price: 2 * cents, Why: why(plan.CauseBadReply, "moderated", "", "no \x07 way")},
		{Address: "image.theirs", Verb: plan.Conflict, Why: why(plan.CauseForeign, "", "", "x.png")},
		{Address: "image.gone", Verb: plan.Missing, Why: why(plan.CauseNoOriginal, "image.gone", "", digest.Content{1}.String())},
		{Address: "image.late", Verb: plan.Resume, Why: why(plan.CauseDelivered, "", "", "x-2")},
		{Address: "image.later", Verb: plan.Resume, Price: 2 * cents, Why: why(plan.CauseAccepted, "", "", "x-3")},
	}}
	p.Recount()
	return p
}

func TestPlanText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	Plan(&b, every(), Options{})
	const golden = "testdata/plan.txt"
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// On a terminal no line of a step is wider than the terminal; colours change
// nothing but colours.
func TestPlanWidths(t *testing.T) {
	t.Parallel()
	for _, width := range []int{80, 120} {
		var plain, coloured bytes.Buffer
		Plan(&plain, every(), Options{Width: width})
		Plan(&coloured, every(), Options{Width: width, Palette: diag.Palette{On: true}})
		for line := range strings.Lines(plain.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n ")); n > width && strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "      ") {
				t.Errorf("%d columns at width %d: %q", n, width, line)
			}
		}
		if got := stripSGR(coloured.String()); got != plain.String() {
			t.Errorf("without its colours the text is another:\n%s", cmp.Diff(plain.String(), got))
		}
	}
}

func stripSGR(s string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			return b.String() + s
		}
		b.WriteString(s[:i])
		s = s[i:]
		s = s[strings.IndexByte(s, 'm')+1:]
	}
}

func TestNoChanges(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "No changes. There are no images.\n", 1: "No changes. 1 image is up to date.\n", 7: "No changes. 7 images are up to date.\n"} {
		var b bytes.Buffer
		Plan(&b, &plan.Plan{Unchanged: n}, Options{})
		if b.String() != want {
			t.Errorf("%d: %q", n, b.String())
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for _, tt := range [][3]string{
		{"a b c", "a b c", `"a b c"`}, {"", "a", `"{+a+}"`}, {"a", "", `"[-a-]"`}, {"a b c", "a x c", `"a [-b-]{+x+} c"`},
		{"one two three four", "one three four five", `"one [-two-] three four {+five+}"`},
	} {
		if got := words(tt[0], tt[1], diag.Palette{}); got != tt[2] {
			t.Errorf("words(%q, %q) = %s, want %s", tt[0], tt[1], got, tt[2])
		}
	}
	if got := words(strings.Repeat("a ", 2000), strings.Repeat("b ", 2000), diag.Palette{}); got != "2000 words, now 2000" {
		t.Error(got)
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := every()
		v := NewLive(&b, p, time.Now, Options{Width: 100})
		for _, a := range []spec.Address{"image.hero", "image.hero_night"} {
			v.Event(apply.Event{Kind: apply.Started, At: time.Now(), Address: a, Verb: plan.Generate})
		}
		v.Event(apply.Event{Kind: apply.Waiting, Address: "image.hero", Wait: 3 * time.Second, Text: "rate\x1b[2J"})
		time.Sleep(5 * time.Second)
		v.Event(apply.Event{Kind: apply.Done, Address: "image.hero", Paths: []string{"hero.png"}, Took: 5 * time.Second, Spent: provider.Dollar / 50})
		v.Event(apply.Event{Kind: apply.Failed, Address: "image.hero_night", Text: "no\x07", Spent: provider.Dollar / 50})
		v.Event(apply.Event{Kind: apply.Skipped, Address: "image.card", Text: "the run was stopped", Spent: provider.Dollar / 50})
		time.Sleep(time.Second)
		v.Close()
		out := b.String()
		for _, want := range []string{"image.hero generating 4.9 s, waits 3.0 s (rate\\x1b[2J)", "✓ image.hero: done, wrote hero.png in 5.0 s", "✗ image.hero_night: failed: no\\a",
			"– image.card: skipped: the run was stopped",
			"1/8 done · 0 running · 1 failed · 1 skipped · $0.02 of $0.12", "left"} {
			if !strings.Contains(out, want) {
				t.Errorf("the view never showed %q", want)
			}
		}
		if !strings.HasSuffix(out, "\r\x1b[J") {
			t.Errorf("the view stays on the screen: %q", out[max(0, len(out)-80):])
		}
	})
}

func TestStream(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	s := &Stream{W: &b, Now: func() time.Time { return time.Unix(0, 0) }}
	s.Begin(every())
	s.Event(apply.Event{Kind: apply.Received, Address: "image.hero", Count: 1, Total: 4, Price: 5})
	s.End(apply.Result{Outcomes: []apply.Outcome{{Kind: apply.Done}, {Kind: apply.Doubtful}}, Spent: 7})
	var types []string
	for line := range strings.Lines(b.String()) {
		var l Line
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Message == "" || l.Time == "" {
			t.Errorf("%q: %v", line, err)
		}
		types = append(types, l.Type)
	}
	if got := strings.Join(types, " "); got != "version"+strings.Repeat(" planned_step", 14)+" plan_summary image_received apply_summary" {
		t.Error(got)
	}
	if strings.ContainsAny(b.String(), "\x1b\x07") {
		t.Error("foreign text is raw in the stream")
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for ago, want := range map[time.Duration]string{
		-time.Minute: "", 0: "within the hour", 59 * time.Minute: "within the hour", time.Hour: "1 h ago", 47 * time.Hour: "47 h ago", 48 * time.Hour: "2 days ago",
	} {
		if got := Age(now, now.Add(-ago)); got != want {
			t.Errorf("%s: %q, want %q", ago, got, want)
		}
	}
	if Age(now, time.Time{}) != "" || Age(time.Time{}, now) != "" {
		t.Error("an unknown time has an age")
	}
}
