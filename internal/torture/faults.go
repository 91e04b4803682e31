package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/emulator"
)

// mishap is one thing that goes wrong with an image, once, over whichever way it
// goes.
type mishap struct {
	name string
	get  string // path of the GET that it meets; the POST if it is ""
	do   string // JSON members of do
	n    int    // images that are asked for, if not 1
	more int    // images that are charged beyond those
	halt bool   // the provider is not asked any more by that run
	nth  bool   // it can't know the prompt: it meets some POST
	told bool   // its body tells the price of what is no edit; gRPC has no place for that
}

// mishaps are those of the tests of cli, and what else a Do can do.
var mishaps = []mishap{
	{name: "nothing", do: `"delay": "1ms"`},
	{name: "rate limit", do: `"status": 429, "retry_after": "0.05"`},
	{name: "rate limit without a time", do: `"status": 429`},
	{name: "400", do: `"status": 400, "body": {"code": "400", "error": "Argument not supported: size"}`},
	{name: "unknown model", do: `"status": 404, "body": {"code": "not-found", "error": "The model does not exist"}`},
	{name: "408", do: `"status": 408`},
	{name: "409", do: `"status": 409`},
	{name: "413", do: `"status": 413`},
	{name: "415", do: `"status": 415, "body": "Expected request with Content-Type: application/json"`},
	{name: "422", do: `"status": 422, "body": {"error": "missing field"}`},
	{name: "no credentials", do: `"status": 401, "body": {"error": "who are you"}`, halt: true},
	{name: "blocked", do: `"status": 403, "body": {"error": "the team is blocked"}`, halt: true},
	{name: "wrong key", do: `"status": 400, "body": {"error": "Incorrect API key provided: xa***"}`, halt: true},
	{name: "no credits", do: `"status": 402, "body": {"error": "add credits"}`, halt: true},
	{name: "no credits by 403", do: `"status": 403, "body": {"error": "your team ran out of credits"}`, halt: true},
	{name: "billed in unknown words", do: `"status": 422, "billed": true, "body": {"error": "blocked by our safety filters", "usage": {"cost_in_usd_ticks": 200000000}}`, told: true},
	{name: "a page", do: `"status": 502, "html": true`},
	{name: "a page instead of an answer", do: `"status": 200, "html": true`},
	{name: "redirected request", do: `"status": 307, "redirect": "http://127.0.0.1:1/elsewhere"`},
	{name: "500", do: `"status": 500`},
	{name: "500 that was charged", do: `"status": 500, "billed": true`},
	{name: "501", do: `"status": 501`},
	{name: "503", do: `"status": 503, "retry_after": "1"`},
	{name: "504", do: `"status": 504, "billed": true`},
	{name: "529", do: `"status": 529`},
	{name: "closed before it was read", do: `"drop": "before-read"`, nth: true},
	{name: "closed after it was read", do: `"drop": "after-request"`},
	{name: "closed, and free", do: `"drop": "after-request", "billed": false`},
	{name: "reset", do: `"drop": "reset"`},
	{name: "closed in the answer", do: `"drop": "mid-body"`},
	{name: "closed in the answer, of three", do: `"drop": "mid-body"`, n: 3},
	{name: "cut short", do: `"truncate": 20`},
	{name: "cut at its end", do: `"truncate": 250`, n: 2},
	{name: "moderated by status", do: `"moderated": "400"`},
	{name: "moderated by flag", do: `"moderated": "flag"`},
	{name: "moderated by placeholder", do: `"moderated": "placeholder"`, n: 2},
	{name: "moderated away", do: `"moderated": "empty"`},
	{name: "moderated for free", do: `"moderated": "flag", "billed": false`},
	{name: "corrupt", do: `"corrupt": true`},
	{name: "a page for a picture", do: `"html": true`},
	{name: "expired", do: `"expired": true`},
	{name: "redirected", do: `"redirect": "http://127.0.0.1:1/elsewhere"`},
	{name: "wrong size", do: `"wrong_size": true`},
	{name: "late", do: `"delay": "100ms"`},
	{name: "drips", do: `"drip": "1ms"`},
	{name: "too few", do: `"n": 1`, n: 3},
	{name: "none", do: `"n": 0`, n: 2},
	{name: "too many", do: `"n": 2`, more: 1},
	{name: "dear", do: `"cost": 3`},
	{name: "dear and moderated", do: `"cost": 2, "moderated": "flag"`},
	{name: "download fails", get: "/images/*", do: `"status": 500`},
	{name: "download breaks off", get: "/images/*", do: `"drop": "mid-body"`, n: 2},
	{name: "download is limited", get: "/images/*", do: `"status": 429, "retry_after": "0.05"`},
	{name: "download drips", get: "/images/*", do: `"drip": "1ms"`},
	{name: "download is corrupt", get: "/images/*", do: `"corrupt": true`},
	{name: "download is gone", get: "/images/*", do: `"expired": true`},
	{name: "job takes long", do: `"pending": 2`},
	{name: "job takes time", do: `"ready_after": "150ms"`},
	{name: "job failed", do: `"job": "internal_error"`},
	{name: "job failed for us", do: `"job": "invalid_argument"`},
	{name: "job was not permitted", do: `"job": "permission_denied"`},
	{name: "job failed and charged", do: `"job": "internal_error", "billed": true`},
	{name: "job expired", do: `"job": "expired"`},
	{name: "poll fails", get: "/v1/images/*", do: `"status": 503`},
	{name: "poll breaks off", get: "/v1/images/*", do: `"drop": "mid-body"`},
	{name: "poll is limited", get: "/v1/images/*", do: `"status": 429, "retry_after": "0.05"`},
	{name: "poll without a key", get: "/v1/images/*", do: `"status": 401`, halt: true},
}

// faultRow meets images with all that can go wrong, and applies until nothing
// changes any more.
func faultRow() *row {
	return &row{
		name: "each fault of the emulator, images",
		must: "each image is done, failed, in doubt, refused or skipped; paid once; for each, the lock and what is open say what was charged",
		long: 10_000, batch: 250, short: 50,
		sees: []string{"applies", "done", "in doubt or due", "refused", "waiting for such", "failed and made later"},
		run:  func(t *trial) error { return t.faults(t.dir, t.n) },
	}
}

// faultImage is an image of faults.
type faultImage struct {
	address, prompt string
	meets           *mishap
	of              int // the image that it edits, -1 if none
}

func (t *trial) faults(dir string, n int) error {
	var b strings.Builder
	images := make([]faultImage, n)
	var script []emulator.Fault
	for i := range images {
		im := &images[i]
		*im = faultImage{address: fmt.Sprintf("image.i%d", i), prompt: fmt.Sprintf("Number %d.", i), of: -1}
		im.meets = &mishaps[t.luck.IntN(len(mishaps))]
		if im.meets.halt && t.luck.IntN(4) != 0 {
			im.meets = &mishaps[0]
		}
		fault := emulator.Fault{Match: emulator.Match{Method: "POST", PromptContains: im.prompt}, Times: 1}
		if err := json.Unmarshal([]byte("{"+im.meets.do+"}"), &fault.Do); err != nil {
			return err
		}
		switch {
		case im.meets.nth:
			fault.Match = emulator.Match{Method: "POST", Nth: 1 + t.luck.IntN(n)}
		case im.meets.get != "":
			fault.Match.Method, fault.Match.Path = "GET", im.meets.get
		}
		script = append(script, fault)
		way := t.luck.IntN(len(ways))
		for im.meets.told && strings.Contains(ways[way], "grpc") {
			way = t.luck.IntN(len(ways))
		}
		fmt.Fprintf(&b, "image \"i%d\" {\n  provider = provider.xai.w%d\n  prompt = %q\n  n = %d\n  path = \"i%d.jpg\"\n", i, way, im.prompt, max(1, im.meets.n), i)
		if i > 0 && t.luck.IntN(6) == 0 && !im.meets.told {
			im.of = t.luck.IntN(i)
			fmt.Fprintf(&b, "  edit {\n    image = image.i%d\n  }\n", im.of)
		}
		b.WriteString("}\n")
	}
	shop, err := t.open(&emulator.Album{Flat: true}, script...)
	if err != nil {
		return err
	}
	defer shop.stop()
	for i, way := range ways {
		fmt.Fprintf(&b, "provider \"xai\" {\n  alias = \"w%d\"\n  endpoint = %q\n  %s\n}\n", i, shop.endpoint, way)
	}
	if err := write(dir, map[string]string{"site.img.hcl": b.String()}); err != nil {
		return err
	}

	const most = 40
	failed := map[string]bool{}
	for try := 0; ; try++ {
		before := shop.Stats()
		e, err := t.do(dir, "apply", "-auto-approve", "-json", "-parallelism=8", "-max-cost=10000")
		if err != nil {
			return err
		}
		t.count("applies", 1)
		if e.code != 0 && e.code != 4 {
			t.wrong("apply %d ended with %d: %s", try, e.code, e.stderr)
			return nil
		}
		steps, held, summed, done := 0, 0, 0, 0
		for _, ev := range events(e.stdout) {
			switch {
			case ev.Type == "planned_step" && ev.Step != nil && standing[ev.Step.Verb]:
				held++
			case ev.Type == "planned_step":
				steps++
			case ev.Type == "step_failed" || ev.Type == "step_in_doubt":
				failed[ev.Address] = true
			case ev.Result != nil:
				r := ev.Result
				summed, done = r.Done+r.Failed+r.In_doubt+r.Accepted+r.Skipped+r.Stale, r.Done
				if r.Stale > 0 {
					t.wrong("apply %d: %d are stale: %s", try, r.Stale, e.stderr)
				}
			}
		}
		if summed != steps || try == 0 && steps+held != n {
			t.wrong("apply %d: %d planned, %d held back, and the summary tells of %d", try, steps, held, summed)
		}
		if after := shop.Stats(); done == 0 && after.Requests == before.Requests {
			break
		}
		if try == most {
			t.wrong("it does not come to an end: %s", e.stderr)
			return nil
		}
	}

	// Who owes what.
	stats, err := shop.settled()
	if err != nil {
		return err
	}
	charged, ticks := byPrompt(stats)
	p, err := t.plan(dir)
	if err != nil {
		return err
	}
	open, err := p.open()
	if err != nil {
		return err
	}
	l, err := readLedgers(dir)
	if err != nil {
		return err
	}
	verbs, due := map[string]string{}, map[string]bool{}
	for _, s := range p.Steps {
		due[s.Address] = slices.ContainsFunc(s.Why, func(w struct{ Cause string }) bool { return w.Cause == "delivered" }) // paid, so the plan has no price
		verbs[s.Address] = s.Verb
	}
	if len(p.Steps)+p.Unchanged != n {
		t.wrong("the plan has %d steps and %d unchanged, of %d images", len(p.Steps), p.Unchanged, n)
	}
	for i := range images {
		im := &images[i]
		verb := verbs[im.address]
		what := fmt.Sprintf("%s (%s, %q)", im.address, im.meets.name, verb)
		if most := max(1, im.meets.n) + im.meets.more; charged[im.prompt] > most {
			t.wrong("%s: %d images were charged, %d were asked for", what, charged[im.prompt], most)
		}
		paid, owed := l[im.address], open[im.address]
		if due[im.address] {
			owed += int64(max(1, im.meets.n)) * (imagePrice + editPrice)
		}
		// A price above the estimate that nobody told of can't be known.
		estimate := ticks[im.prompt]
		if strings.HasPrefix(im.meets.name, "dear") && owed > 0 {
			estimate = min(estimate, paid+owed)
		}
		if estimate < paid && !guessed(im.meets) || estimate > paid+owed {
			t.wrong("%s: %d ticks were charged; recorded are %d, and %d open", what, estimate, paid, owed)
		}
		switch {
		case verb == "":
			t.count("done", 1)
			if failed[im.address] {
				t.count("failed and made later", 1)
			}
		case verb == "hold" || verb == "resume":
			t.count("in doubt or due", 1)
		case verb == "refused":
			t.count("refused", 1)
		case im.of >= 0 && verbs[images[im.of].address] != "":
			t.count("waiting for such", 1)
		default:
			t.wrong("%s: it is neither done nor held back", what)
		}
	}
	return nil
}

// guessed are those that may be free or not, and whose reply says nothing of it,
// or nothing of the price: then as much is reckoned as the dearest reply told.
func guessed(m *mishap) bool {
	return strings.Contains(m.do, `"billed": false`) || strings.Contains(m.do, `"moderated": "400"`) || m.name == "none" || m.name == "job was not permitted"
}

// readLedgers is what a lock says that each address has cost, in ticks.
func readLedgers(dir string) (map[string]int64, error) {
	out := map[string]int64{}
	var lock struct {
		Images map[string]struct {
			Candidates, Refused []struct{ Price string }
		}
	}
	if err := readJSON(filepath.Join(dir, "imgbuild.lock.json"), &lock); err != nil {
		return nil, err
	}
	for address, im := range lock.Images {
		for _, c := range append(im.Candidates, im.Refused...) {
			ticks, err := ticksOf(cmp.Or(c.Price, "0"))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", address, err)
			}
			out[address] += ticks
		}
	}
	return out, nil
}
