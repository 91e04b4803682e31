package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/emulator"
)

// fault is one thing that goes wrong, once, and what must come of it.
type fault struct {
	name  string
	match string // beyond the POST: JSON members of match
	do    string // JSON members of do
	n     int    // images that are asked for, 1 if 0
	attrs string // further HCL of the image
	ways  string // over which of the ways below
	see   string // what the first apply says
	codes string // of three applies, one after the other
	posts int    // requests that may cost, in all
	paid  int    // images charged, in all
	have  string // what the lock and a plan know in the end
}

// ways are how a request can travel and its picture come back.
var ways = map[byte]string{
	'j': ``,                                                  // a job, and a URL
	'u': `deferred = false`,                                  // REST, a URL
	'b': `response = "b64_json"`,                             // REST, inline
	'g': `transport = "grpc"`,                                // gRPC, a URL
	'i': "transport = \"grpc\"\n  response = \"b64_json\"\n", // gRPC, inline
}

const (
	anyWay  = "jubgi"
	fetches = "jug" // with a download

	picture1 = "picture 1"
	refused  = "refused"
	unfit    = "paid, and not written"
	doubted  = "in doubt"
	due      = "paid, to be fetched"
)

// unfitFor is a postcondition that no picture meets.
func unfitFor(condition string) string {
	return "postcondition {\n    condition = " + condition + "\n    error_message = \"not so\"\n  }"
}

var faults = []fault{
	{name: "nothing", do: `"delay": "20ms"`, ways: anyWay, see: "Apply: 1 done", codes: "000", posts: 1, paid: 1, have: picture1},

	// Limits are waited for, and say so.
	{name: "rate limit", do: `"status": 429, "retry_after": "0.05"`, ways: anyWay, see: "image.a: waits 0.[01] s", codes: "000", posts: 2, paid: 1, have: picture1},
	{name: "rate limit without a time", do: `"status": 429`, ways: "jg", see: "image.a: waits [01]\\.. s", codes: "000", posts: 2, paid: 1, have: picture1},

	// A complete refusal owes nothing and is not held against the image.
	{name: "400", do: `"status": 400, "body": {"code": "400", "error": "Argument not supported: size"}`, ways: anyWay, see: "rejected.*Argument not supported: size(.|\n)*Hint: the server takes less", codes: "400", posts: 2, paid: 1, have: picture1},
	{name: "unknown model", do: `"status": 404, "body": {"code": "not-found", "error": "The model does not exist"}`, ways: anyWay, see: "rejected.*The model does not exist(.|\n)*Hint: imgbuild models", codes: "400", posts: 2, paid: 1, have: picture1},
	{name: "415", do: `"status": 415, "body": "Expected request with Content-Type: application/json"`, ways: "jub", see: "rejected \\(HTTP 415\\)", codes: "400", posts: 2, paid: 1, have: picture1},
	{name: "422", do: `"status": 422, "body": {"error": "missing field"}`, ways: anyWay, see: "rejected", codes: "400", posts: 2, paid: 1, have: picture1},
	{name: "no credentials", do: `"status": 401, "body": {"error": "who are you"}`, ways: anyWay, see: "credentials.*who are you(.|\n)*Hint: export XAI_API_KEY", codes: "400", posts: 2, paid: 1, have: picture1},
	{name: "blocked", do: `"status": 403, "body": {"error": "the team is blocked"}`, ways: anyWay, see: "credentials.*blocked", codes: "400", posts: 2, paid: 1, have: picture1},
	{name: "wrong key", do: `"status": 400, "body": {"error": "Incorrect API key provided: xa***"}`, ways: anyWay, see: "credentials.*Incorrect API key", codes: "400", posts: 2, paid: 1, have: picture1},
	{name: "no credits", do: `"status": 402, "body": {"error": "add credits"}`, ways: "jub", see: "quota.*add credits", codes: "400", posts: 2, paid: 1, have: picture1},
	{name: "no credits by 403", do: `"status": 403, "body": {"error": "your team ran out of credits"}`, ways: anyWay, see: "quota.*credits", codes: "400", posts: 2, paid: 1, have: picture1},

	{name: "billed in unknown words", do: `"status": 422, "billed": true, "body": {"error": "blocked by our safety filters", "usage": {"cost_in_usd_ticks": 200000000}}`, ways: "jub", see: `unusable.*\(\$0\.02 was charged\)`, codes: "444", posts: 1, paid: 1, have: refused},

	// What may have been made is held, whether it was charged or not.
	{name: "500", do: `"status": 500`, ways: anyWay, see: "in doubt", codes: "444", posts: 1, paid: 0, have: doubted},
	{name: "500 that was charged", do: `"status": 500, "billed": true`, ways: anyWay, see: "in doubt", codes: "444", posts: 1, paid: 1, have: doubted},
	{name: "503", do: `"status": 503, "retry_after": "1"`, ways: anyWay, see: "in doubt", codes: "444", posts: 1, paid: 0, have: doubted},
	{name: "529", do: `"status": 529`, ways: anyWay, see: "in doubt", codes: "444", posts: 1, paid: 0, have: doubted},
	{name: "closed before it was read", do: `"drop": "before-read"`, ways: anyWay, see: "in doubt", codes: "444", posts: 1, paid: 0, have: doubted},
	{name: "closed after it was read", do: `"drop": "after-request"`, ways: anyWay, see: "in doubt", codes: "444", posts: 1, paid: 1, have: doubted},
	{name: "reset", do: `"drop": "reset"`, ways: anyWay, see: "in doubt", codes: "444", posts: 1, paid: 1, have: doubted},
	{name: "closed in the answer", do: `"drop": "mid-body"`, ways: anyWay, see: "in doubt", codes: "444", posts: 1, paid: 1, have: doubted},
	{name: "cut short", do: `"truncate": 20`, ways: anyWay, see: "in doubt", codes: "444", posts: 1, paid: 1, have: doubted},

	// Moderation charges, in each of its forms, once.
	{name: "moderated by status", do: `"moderated": "400"`, ways: anyWay, see: `moderated.*\(.*\$0\.02 .*charged\)(.|\n)*Hint: it is not bought again`, codes: "444", posts: 1, paid: 1, have: refused},
	{name: "moderated by flag", do: `"moderated": "flag"`, ways: anyWay, see: `moderated.*\(\$0\.02 was charged\)`, codes: "444", posts: 1, paid: 1, have: refused},
	{name: "moderated by placeholder", do: `"moderated": "placeholder"`, ways: anyWay, see: `moderated.*\(\$0\.02 was charged\)`, codes: "444", posts: 1, paid: 1, have: refused},
	{name: "moderated away", do: `"moderated": "empty"`, ways: anyWay, see: `moderated.*\(\$0\.02 was charged\)`, codes: "444", posts: 1, paid: 1, have: refused},

	// Pictures that are none.
	{name: "corrupt", do: `"corrupt": true`, ways: anyWay, see: "it is no picture", codes: "444", posts: 1, paid: 1, have: refused},
	{name: "a page for a picture", do: `"html": true`, ways: fetches, see: "it is no picture", codes: "444", posts: 1, paid: 1, have: refused},
	{name: "expired", do: `"expired": true`, ways: fetches, see: "paid for and not fetched yet.*it is not at its URL.*and may be later", codes: "444", posts: 1, paid: 1, have: refused},

	{name: "redirected", do: `"redirect": "http://127.0.0.1:1/elsewhere"`, ways: fetches, see: "paid for and not fetched yet.*redirects to http://127.0.0.1:1/elsewhere", codes: "444", posts: 1, paid: 1, have: due},
	{name: "wrong size", do: `"wrong_size": true`, attrs: `size = "1024x1024"`, ways: anyWay, see: "it is 512x512, asked was 1k", codes: "444", posts: 1, paid: 1, have: refused},

	// Pictures that are sound, and not what the user asks of them.
	{name: "unfit", do: `"delay": "1ms"`, attrs: unfitFor("self.bytes < 5"), ways: anyWay, see: `its postcondition does not hold: not so \(\$0\.02 was charged\)`, codes: "444", posts: 1, paid: 1, have: unfit},
	{name: "unfit of three", do: `"delay": "1ms"`, attrs: unfitFor("self.blank"), n: 3, ways: anyWay, see: `its postcondition does not hold: not so \(\$0\.06 was charged\)`, codes: "444", posts: 1, paid: 3, have: unfit},
	{name: "unfit and too few", do: `"n": 1`, attrs: unfitFor("self.blank"), n: 2, ways: anyWay, see: `its postcondition does not hold: not so \(\$0\.02 was charged\)`, codes: "444", posts: 1, paid: 1, have: unfit},

	// Slow is not wrong.
	{name: "late", do: `"delay": "300ms"`, ways: anyWay, see: "Apply: 1 done", codes: "000", posts: 1, paid: 1, have: picture1},
	{name: "drips", do: `"drip": "3ms"`, ways: anyWay, see: "Apply: 1 done", codes: "000", posts: 1, paid: 1, have: picture1},
	{name: "download drips", match: `"path": "/images/*"`, do: `"drip": "3ms"`, ways: fetches, see: "Apply: 1 done", codes: "000", posts: 1, paid: 1, have: picture1},

	// Numbers.
	{name: "too few", do: `"n": 1`, n: 3, ways: anyWay, see: "1 of 3 images came", codes: "400", posts: 2, paid: 3, have: "picture 3"},
	{name: "too many", do: `"n": 2`, ways: anyWay, see: "Apply: 1 done", codes: "000", posts: 1, paid: 2, have: "picture 2"},

	// Downloads are free and repeated.
	{name: "download fails", match: `"path": "/images/*"`, do: `"status": 500`, ways: fetches, see: "Apply: 1 done", codes: "000", posts: 1, paid: 1, have: picture1},
	{name: "download breaks off", match: `"path": "/images/*"`, do: `"drop": "mid-body"`, ways: fetches, see: "Apply: 1 done", codes: "000", posts: 1, paid: 1, have: picture1},
	{name: "download is limited", match: `"path": "/images/*"`, do: `"status": 429, "retry_after": "0.05"`, ways: fetches, see: "Apply: 1 done", codes: "000", posts: 1, paid: 1, have: picture1},

	// Jobs.
	{name: "job takes long", do: `"pending": 2`, ways: "j", see: "Apply: 1 done", codes: "000", posts: 1, paid: 1, have: picture1},
	{name: "job failed", do: `"job": "internal_error"`, ways: "j", see: "rejected.*the job failed", codes: "400", posts: 2, paid: 1, have: picture1},
	{name: "job failed and charged", do: `"job": "internal_error", "billed": true`, ways: "j", see: `unusable.*\(\$0\.02 was charged\)`, codes: "444", posts: 1, paid: 1, have: refused},
	{name: "job expired", do: `"job": "expired"`, ways: "j", see: "in doubt.*does not know its job", codes: "444", posts: 1, paid: 1, have: doubted},
	{name: "poll fails", match: `"method": "GET", "path": "/v1/images/*"`, do: `"status": 503`, ways: "j", see: "Apply: 1 done", codes: "000", posts: 1, paid: 1, have: picture1},
	{name: "poll breaks off", match: `"method": "GET", "path": "/v1/images/*"`, do: `"drop": "mid-body"`, ways: "j", see: "Apply: 1 done", codes: "000", posts: 1, paid: 1, have: picture1},
	{name: "poll is limited", match: `"method": "GET", "path": "/v1/images/*"`, do: `"status": 429, "retry_after": "0.05"`, ways: "j", see: "Apply: 1 done", codes: "000", posts: 1, paid: 1, have: picture1},
	{name: "poll without a key", match: `"method": "GET", "path": "/v1/images/*"`, do: `"status": 401`, ways: "j", see: "unfinished.*: job .* was accepted(.|\n)*1 accepted and not finished", codes: "400", posts: 1, paid: 1, have: picture1},
}

// TestFaults: over every way, each fault is told, leaves the right record, and
// nothing is paid twice, however often apply is run.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		for i := range len(f.ways) {
			t.Run(fmt.Sprintf("%s/%c", f.name, f.ways[i]), func(t *testing.T) {
				t.Parallel()
				f.run(t, ways[f.ways[i]])
			})
		}
	}
}

// rehearse makes a project for f whose provider is an emulator with the fault,
// so many times, and returns how to run imgbuild in it.
func (f fault) rehearse(t *testing.T, way string, times int) (service *emulator.Server, dir string, imgbuild func(...string) (int, string)) {
	match := f.match
	if match == "" {
		match = `"method": "POST"`
	}
	script, err := emulator.ParseFaults(fmt.Appendf(nil, `[{"match": {%s}, "times": %d, "do": {%s}}]`, match, times, f.do))
	if err != nil {
		t.Fatal(err)
	}
	service = emulator.New(emulator.Config{Profile: "current", Faults: script})
	server := service.HTTP()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	dir = t.TempDir()
	site := fmt.Sprintf(`provider "xai" {
  endpoint = "http://%s/v1"
  %s
}
image "a" {
  prompt = "Bauhaus tiles"
  path   = "a.jpg"
  n      = %d
  %s
}
`, l.Addr(), way, max(1, f.n), f.attrs)
	if err := os.WriteFile(filepath.Join(dir, "site.img.hcl"), []byte(site), 0o666); err != nil {
		t.Fatal(err)
	}
	return service, dir, func(args ...string) (int, string) {
		var out bytes.Buffer
		code := cli.Main(&cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Now: time.Now, Dir: dir, Getenv: func(string) string { return "" }, Args: args})
		return code, out.String()
	}
}

func (f fault) run(t *testing.T, way string) {
	service, dir, imgbuild := f.rehearse(t, way, 1)
	codes, first := "", ""
	for i := range 3 {
		code, out := imgbuild("apply", "-auto-approve")
		codes += fmt.Sprint(code)
		if i == 0 {
			first = out
		}
	}
	if !regexp.MustCompile(f.see).MatchString(first) {
		t.Errorf("the first apply does not say %q:\n%s", f.see, first)
	}
	if stats := service.Stats(); codes != f.codes || stats.Requests != f.posts || stats.Images != f.paid {
		t.Errorf("codes %s, %d requests, %d images charged; want %s, %d, %d\n%s", codes, stats.Requests, stats.Images, f.codes, f.posts, f.paid, first)
	}
	if got := f.recorded(t, dir); got != f.have {
		t.Errorf("recorded: %s, want %s", got, f.have)
	}
	_, plan := imgbuild("plan")
	for have, says := range map[string]string{doubted: `in doubt: .*\(\$0\.02\)`, due: "paid for and not fetched yet"} {
		if regexp.MustCompile(says).MatchString(plan) != (f.have == have) {
			t.Errorf("the plan: %s", plan)
		}
	}
}

// TestFaultsOfASavedPlan: a plan that was made before anything was sent does not
// buy again what is open, however often it is applied.
func TestFaultsOfASavedPlan(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{
		"job that can't be asked for": {match: `"method": "GET", "path": "/v1/images/*"`, do: `"status": 401`, ways: "j", codes: "4", see: "the result is not in yet"},
		"download that fails":         {match: `"path": "/images/*"`, do: `"status": 500`, ways: "jug", codes: "4", see: "the result is not in yet"},
		"no answer":                   {do: `"drop": "after-request"`, ways: anyWay, codes: "4", see: "sent before and not answered"},
		"unfit":                       {do: `"delay": "1ms"`, attrs: unfitFor("self.bytes < 5"), ways: anyWay, codes: "6", see: "stale"},
		"moderated":                   {do: `"moderated": "400"`, ways: anyWay, codes: "6", see: "stale"},
	} {
		for i := range len(f.ways) {
			t.Run(fmt.Sprintf("%s/%c", name, f.ways[i]), func(t *testing.T) {
				t.Parallel()
				service, _, imgbuild := f.rehearse(t, ways[f.ways[i]], 0)
				if code, out := imgbuild("plan", "-out=p.json"); code != 0 {
					t.Fatal(out)
				}
				imgbuild("apply", "p.json")
				for range 2 {
					if code, out := imgbuild("apply", "p.json"); fmt.Sprint(code) != f.codes || !strings.Contains(out, f.see) {
						t.Errorf("exit code %d, not saying %q: %s", code, f.see, out)
					}
				}
				if n := service.Stats().Requests; n != 1 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

// recorded is what the lock knows of the image, and in its absence the plan.
func (f fault) recorded(t *testing.T, dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, "imgbuild.lock.json"))
	if err != nil && (f.have == doubted || f.have == due) {
		return f.have // the plan tells
	}
	var lock struct {
		Images map[string]struct {
			Candidates, Refused []struct{ Price, Reason string }
		}
	}
	if err := json.Unmarshal(b, &lock); err != nil {
		t.Fatal(err)
	}
	a := lock.Images["image.a"]
	for _, x := range append(a.Candidates, a.Refused...) {
		if x.Price == "" || x.Price == "0.00" {
			t.Errorf("recorded without its price: %s", b)
		}
	}
	_, err = os.Stat(filepath.Join(dir, "a.jpg"))
	switch {
	case len(a.Refused) == 1 && len(a.Candidates) == 0 && err != nil:
		return refused
	case len(a.Refused) == 0 && len(a.Candidates) > 0 && err != nil:
		return unfit
	case len(a.Refused) == 0 && len(a.Candidates) > 0 && err == nil:
		return fmt.Sprintf("picture %d", len(a.Candidates))
	}
	return string(b)
}
