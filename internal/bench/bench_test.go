package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// The test binary stands in for imgbuild: `apply` draws what the blocks of the
// folder ask for, and each verb leaves a line in a diary beside the project.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		if children[os.Args[1]] != nil {
			main()
			return
		}
		os.Exit(standIn(os.Args[1]))
	}
	os.Exit(m.Run())
}

func standIn(verb string) int {
	diary, err := os.OpenFile(filepath.Join("..", "diary"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer diary.Close()
	_, cached := os.Stat(filepath.Join(".imgbuild", "cache"))
	fmt.Fprintln(diary, verb, cached == nil)
	if verb == "plan" {
		if _, err := os.Stat("changed"); err == nil {
			fmt.Fprintln(os.Stderr, "1 to buy")
			return 2
		}
		err = os.MkdirAll(filepath.Join(".imgbuild", "cache"), 0o777)
	}
	if verb == "apply" {
		err = os.MkdirAll(pictures, 0o777)
		for i := range 200 {
			err = errors.Join(err, os.WriteFile(filepath.Join(pictures, name(i)), []byte("picture"), 0o666))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("imgbuild: 200 images are up to date")
	return 0
}

func testLab(t *testing.T) *lab {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l, err := open(options{rounds: 2, sizes: []int{200}, bin: self, keep: t.TempDir()}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	l.tries = 2
	return l
}

func TestBlocksAreTheYardstick(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := writeProject(dir, 250, "16x16"); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "f*.img.hcl"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files for 250 images, want 3 (%v)", len(files), err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, diags := hclsyntax.ParseConfig(src, file, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		blocks := f.Body.(*hclsyntax.Body).Blocks
		if len(src) != blockSize*len(blocks) {
			t.Errorf("%s: %d bytes for %d blocks, want %d each", file, len(src), len(blocks), blockSize)
		}
		for _, b := range blocks {
			for _, field := range []string{"prompt", "path"} {
				v, diags := b.Body.Attributes[field].Expr.Value(nil)
				if diags.HasErrors() || seen[v.AsString()] {
					t.Fatalf("%s of %s is not its own: %v", field, b.Labels[0], diags)
				}
				seen[v.AsString()] = true
				if field == "prompt" && (len(v.AsString()) < 140 || len(v.AsString()) > 160) {
					t.Errorf("a prompt of %d bytes, want about 150", len(v.AsString()))
				}
			}
		}
	}
	var out strings.Builder
	if err := raw(&out, dir); err != nil || out.String() != "parsed 251\n" {
		t.Errorf("raw said %q (%v)", out.String(), err)
	}
}

func TestForEachIsEvaluated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := writeForEach(dir, 3); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := eval(&out, dir); err != nil {
		t.Fatal(err)
	}
	if want := "evaluated 3 instances"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("eval said %q, want %q", out.String(), want)
	}
}

func TestTerraformStateHoldsEveryResource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := writeTerraform(dir, 101); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	var state struct {
		Version   int
		Resources []struct {
			Name      string
			Instances []struct {
				Attributes struct{ Input, Output struct{ Value value } }
			}
		}
	}
	if err := json.Unmarshal(b, &state); err != nil {
		t.Fatal(err)
	}
	if len(state.Resources) != 101 || state.Version != 4 {
		t.Fatalf("version %d with %d resources", state.Version, len(state.Resources))
	}
	last := state.Resources[100]
	if got := last.Instances[0].Attributes; last.Name != name(100) || got.Input.Value != image(100, "16x16") || got.Output != got.Input {
		t.Errorf("the last resource is %+v", last)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	value := func(v float64) func(*lab) (figures, error) {
		return func(*lab) (figures, error) { return figures{"ours", "peer", v}, nil }
	}
	fail := func(err error) func(*lab) (figures, error) {
		return func(*lab) (figures, error) { return figures{}, err }
	}
	tests := []struct {
		name    string
		row     row
		verdict string
		missed  bool
	}{
		{"aim", row{read: value(1.25)}, "aim", false},
		{"must", row{read: value(1.5)}, "must", false},
		{"missed", row{read: value(1.51)}, "MISSED", true},
		{"no number", row{read: value(math.NaN())}, "MISSED", true},
		{"known", row{read: value(1.51), known: "slow"}, "MISSED, as known: slow", false},
		{"known, and mended", row{read: value(1.5), known: "slow"}, "must", false},
		{"known, no number", row{read: value(math.NaN()), known: "slow"}, "MISSED", true},
		{"left out", row{read: value(1), skip: notRun("no time")}, "not run: no time", false},
		{"no peer", row{read: fail(fmt.Errorf("peer: %w", notRun("no ninja")))}, "not run: no ninja", false},
		{"broken", row{read: fail(errors.New("exit status 1"))}, "FAILED: exit status 1", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.row.must, tt.row.aim, tt.row.unit = 1.5, 1.25, times
			if got := tt.row.judge(&lab{}); got.verdict != tt.verdict || got.missed != tt.missed {
				t.Errorf("verdict %q, missed %v; want %q, %v", got.verdict, got.missed, tt.verdict, tt.missed)
			}
		})
	}
}

func TestRatioIsTakenRoundByRound(t *testing.T) {
	t.Parallel()
	// The machine is three times as slow in the second round.
	ours := []time.Duration{12, 36, 12}
	peer := []time.Duration{10, 30, 10}
	if got := ratio(ours, peer); math.Abs(got-1.2) > 1e-9 {
		t.Errorf("ratio %v, want 1.2", got)
	}
	if got := ratio([]time.Duration{1, 2, 9}, []time.Duration{4}); got != 0.5 {
		t.Errorf("ratio %v of rounds that don't pair, want 0.5", got)
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"1.23 ×": times(1.234), "1/38": times(1.0 / 38.9), "1/25": times(1.0 / 25), "1.23 s": cpu(1234 * time.Millisecond),
		"62.5 ms": cpu(62500 * time.Microsecond), "8.21 µs": cpu(8210), "64 MB": megabytes(64.2), "0.40 ms": milliseconds(0.4),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestInitTrace(t *testing.T) {
	t.Parallel()
	got := initTrace(`init runtime @0.016 ms, 0.058 ms clock, 0 bytes, 0 allocs
something else
init github.com/x/width @1.2 ms, 84.5 ms clock, 1234 bytes, 5 allocs
`)
	want := []initialised{{"github.com/x/width", 84.5}, {"runtime", 0.058}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(initialised{})); diff != "" {
		t.Error(diff)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	probes := map[string]*probe{}
	for _, r := range table(&lab{dir: "lab", self: "bench", options: options{bin: "imgbuild"}}) {
		if names[r.name] {
			t.Errorf("two rows are called %q", r.name)
		}
		names[r.name] = true
		if r.aim > r.must || r.aim <= 0 {
			t.Errorf("%s: aim %v, must %v", r.name, r.aim, r.must)
		}
		for _, p := range r.probes {
			if q := probes[p.name]; q != nil && cmp.Diff(q.argv, p.argv)+cmp.Diff(q.dir, p.dir) != "" {
				t.Errorf("two probes are called %q", p.name)
			}
			probes[p.name] = p
		}
	}
}

func TestRoundsAreTakenInTurns(t *testing.T) {
	t.Parallel()
	l := testLab(t)
	c, w := noop(l, 200, cold), noop(l, 200, warm)
	r := versus("cold to warm", c, w, "warm", 1e9, 1e9)
	l.measure([]row{r})
	if got := r.judge(l); got.verdict != "aim" {
		t.Fatalf("verdict %q", got.verdict)
	}
	b, err := os.ReadFile(l.path("diary"))
	if err != nil {
		t.Fatal(err)
	}
	// Repeats within a round are as many as the machine is quick.
	var got []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); len(got) == 0 || got[len(got)-1] != line {
			got = append(got, line)
		}
	}
	want := []string{"apply false", "plan false", "plan true", "plan false", "plan true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verb and whether it found a cache (-want +got):\n%s", diff)
	}
	for _, p := range r.probes {
		if n := len(l.samples[p.name].cost); n != 2 {
			t.Errorf("%s: %d figures for 2 rounds", p.name, n)
		}
	}
}

func TestPlanWithChangesIsNoFigure(t *testing.T) {
	t.Parallel()
	l := testLab(t)
	p := noop(l, 200, cold)
	if err := l.literal(200); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "changed"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	r := peak("memory", p, 1e9, 1e9)
	l.measure([]row{r})
	if got := r.judge(l); !got.missed || !strings.Contains(got.verdict, "1 to buy") {
		t.Errorf("verdict %q, missed %v", got.verdict, got.missed)
	}
}

func TestTinyPictures(t *testing.T) {
	t.Parallel()
	seen := map[digest.Content]bool{}
	for i := range 300 {
		b := tiny(uint32(i))
		if _, info, err := imaging.Decode(b, imaging.DefaultLimits); err != nil || info.Width != 16 || info.Height != 16 {
			t.Fatalf("picture %d: %+v %v", i, info, err)
		}
		seen[digest.OfContent(b)] = true
	}
	if len(seen) != 300 {
		t.Errorf("%d different pictures of 300", len(seen))
	}
}

func TestChains(t *testing.T) {
	t.Parallel()
	images := chains(1000)
	if !slices.IsSortedFunc(images, func(a, b spec.Image) int { return strings.Compare(string(a.Address), string(b.Address)) }) || len(images) != 1000 {
		t.Fatalf("%d images, or not sorted", len(images))
	}
	edits := 0
	for _, im := range images {
		edits += len(im.Edges())
	}
	if want := 59 + 20*9; edits != want {
		t.Errorf("%d edits, want %d", edits, want)
	}
	var sum time.Duration
	for _, im := range images[740:800] {
		sum += latency(im.Wanted.Prompt)
	}
	if got := bound(images[740:800], parallel); got != sum {
		t.Errorf("a single chain takes %v at least, want %v", got, sum)
	}
	if got, want := bound(images[:1], 1), latency(images[0].Wanted.Prompt); got != want || want < time.Second || want > 10*time.Second {
		t.Errorf("one image takes %v at least, want %v", got, want)
	}
}

func TestApplyMakesEveryPicture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	images := []spec.Image{wish(0, ""), wish(1, "image."+spec.Address(name(0))), wish(2, "")}
	if err := applyAll(dir, images, &bare{}); err != nil {
		t.Fatal(err)
	}
	if err := drawn(dir, 3); err != nil {
		t.Error(err)
	}
}

func TestScheduleIsVirtual(t *testing.T) {
	t.Parallel()
	l := testLab(t)
	p := scheduled(l)
	p.argv[2] = "100"
	r := engine(l)[2]
	r.probes = []*probe{p}
	r.must, r.aim = 100, 100
	l.measure([]row{r})
	if got := r.judge(l); got.missed || !strings.HasSuffix(got.ours, " s") {
		t.Errorf("ours %q, verdict %q", got.ours, got.verdict)
	}
	var makespan, least float64
	if _, err := fmt.Sscanf(l.samples[p.name].said, "makespan %f bound %f", &makespan, &least); err != nil || makespan < least || least < 50 {
		t.Errorf("makespan %v, least %v: %v", makespan, least, err)
	}
}

func TestRequestsAndTheirBareTwins(t *testing.T) {
	t.Parallel()
	for transport, paths := range map[string][]string{
		"rest":     {"/v1/images/generations"},
		"grpc":     {"/xai_api.Image/GenerateImage"},
		"deferred": {"/v1/images/generations", "/v1/images/"},
	} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			heard, err := overhear(transport)
			if err != nil || len(heard) != len(paths) {
				t.Fatalf("%d exchanges, want %d (%v)", len(heard), len(paths), err)
			}
			for i, x := range heard {
				if !strings.HasPrefix(x.path, paths[i]) || x.status != 200 || len(x.reply) == 0 || (len(x.body) > 0) != (x.method == "POST") {
					t.Errorf("%s %s with %d bytes: %d with %d bytes", x.method, x.path, len(x.body), x.status, len(x.reply))
				}
			}
			for _, child := range []string{"-ask", "-bare"} {
				var out strings.Builder
				if err := children[child](&out, transport+"-20"); err != nil || !strings.HasSuffix(out.String(), " ns a request\n") {
					t.Errorf("%s said %q (%v)", child, out.String(), err)
				}
			}
		})
	}
}

func TestInlineReplies(t *testing.T) {
	t.Parallel()
	l := testLab(t)
	if err := l.serve(2_000_000); err != nil { // less is too small for what was asked
		t.Fatal(err)
	}
	for _, transport := range []string{"rest", "grpc"} {
		few, many := inlined(l, transport, 1), inlined(l, transport, 9)
		r := grown("memory", few, many, 1e9, 1e9)
		l.measure([]row{r})
		if got := r.judge(l); got.missed {
			t.Errorf("%s: verdict %q", transport, got.verdict)
		}
	}
	l.close()
	if left, _ := filepath.Glob(l.path(applyFolders + "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestGrowthOfMemory(t *testing.T) {
	t.Parallel()
	few, many := &probe{name: "few"}, &probe{name: "many"}
	tests := []struct {
		few, many []int64
		value     string
		missed    bool
	}{
		{[]int64{100e6, 110e6, 120e6}, []int64{100e6, 121e6, 240e6}, "1.10 ×", false},
		{[]int64{100e6}, []int64{126e6}, "1.26 ×", true},
		{[]int64{0}, []int64{0}, "-", false}, // not told
	}
	for _, tt := range tests {
		l := &lab{samples: map[string]*sample{"few": {rss: tt.few}, "many": {rss: tt.many}}}
		if got := grown("memory", few, many, 1.25, 1.1).judge(l); got.value != tt.value || got.missed != tt.missed {
			t.Errorf("%v to %v: %s, missed %v; want %s, %v", tt.many, tt.few, got.value, got.missed, tt.value, tt.missed)
		}
	}
}

func TestNoise(t *testing.T) {
	t.Parallel()
	b := stamped(noise(100_000), 7)
	if _, info, err := imaging.Decode(b, imaging.DefaultLimits); err != nil || info.Width != info.Height || len(b) < 100_000 || len(b) > 105_000 {
		t.Errorf("%d bytes, %+v %v", len(b), info, err)
	}
}

func TestFixtureIsKept(t *testing.T) {
	t.Parallel()
	l := testLab(t)
	made := 0
	fill := func(dir string) error {
		made++
		return os.WriteFile(filepath.Join(dir, "half"), nil, 0o666)
	}
	fails := func(dir string) error { return errors.Join(fill(dir), errors.New("disk full")) }
	if l.once("x", fails) == nil || l.once("x", fill) == nil {
		t.Error("a failure is forgotten within a run")
	}
	for range 2 { // further runs
		l.made = map[string]error{}
		if err := l.once("x", fill); err != nil {
			t.Error(err)
		}
	}
	if made != 2 {
		t.Errorf("made %d times; a half-made fixture is made again, a whole one is kept", made)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		code int
		want string // in stdout or stderr
	}{
		{"broken", []string{"-bin", self, "-rows", "peak memory, cold, 10k", "-n", "10000", "-rounds", "1"}, 1, "FAILED: apply drew 200 pictures, not 10000"},
		{"left out", []string{"-bin", self, "-rows", "peak memory, cold, 10k", "-n", "1000"}, 0, "not run: -n leaves 10000 out"},
		{"usage", []string{"-rows", "("}, 64, "error parsing regexp"},
		{"no number", []string{"-n", "1k"}, 64, "-n: "},
		{"nothing built", []string{"-bin", filepath.Join(t.TempDir(), "imgbuild")}, 1, "make build"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if code := run(tt.args, &out, &out); code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("exit code %d, want %d with %q in\n%s", code, tt.code, tt.want, out.String())
			}
		})
	}
}

func TestPictures(t *testing.T) {
	t.Parallel()
	p, q := imaging.New(40, 32), imaging.New(40, 32)
	for i := range p.Pix() {
		p.Pix()[i] = byte(i * i >> 4)
		q.Pix()[i] = p.Pix()[i] ^ byte(i&4)
	}
	if same, other := ssim(p, p), ssim(p, q); math.Abs(same-1) > 1e-9 || other > 0.9999 || other < 0.5 {
		t.Errorf("alike %v with itself, %v with what differs a little", same, other)
	}
	script, err := os.ReadFile(filepath.Join("..", "..", "testdata", "bench", "sharp.js"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range jobs {
		if !bytes.Contains(script, []byte("\n  "+name+": ")) && !bytes.Contains(script, []byte("\n  '"+name+"': ")) {
			t.Errorf("sharp does not do %q", name)
		}
	}
}

func TestPeersThatAreNotThere(t *testing.T) {
	t.Parallel()
	l := testLab(t)
	var missing notRun
	if err := l.photographs(t.TempDir(), "sharp.js"); !errors.As(err, &missing) { // there is no testdata/bench here
		t.Errorf("%v", err)
	}
	ours, peer := &probe{name: "ours"}, &probe{name: "peer"}
	l.samples = map[string]*sample{
		"ours": {said: "7 ns each, 90000 bytes\n", rss: []int64{60e6}}, "peer": {said: "9 ns each, 100000 bytes\n", rss: []int64{100e6}},
	}
	if r := said("bytes", ours, peer, 1, 0.5).judge(l); r.value != "0.90 ×" || r.missed {
		t.Errorf("%+v", r)
	}
	if r := leaner("memory", ours, peer, 0.5, 0.5).judge(l); r.value != "0.60 ×" || !r.missed {
		t.Errorf("%+v", r)
	}
}
