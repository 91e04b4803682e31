package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/emulator"
)

// historyRow lives through random histories of random projects and holds each
// apply to a naive model (model.go): what is bought, what is on disk, and that
// a second plan is empty. A history is a list of numbers, one for each event,
// so that the one that is told is as short as dropping events makes it.
func historyRow() *row {
	return &row{
		name: "random histories against a model", must: "purchases and files are the model's, a second plan is empty, the user's files are untouched",
		long: 500, batch: 10, short: 5,
		sees: []string{"events", "applies", "bought", "charged", "crashes", "conflicts", "merges", "merges in conflict"}, needs: []string{"git"},
		run: func(t *trial) error {
			for i := range t.n {
				events := make([]uint64, 4+t.luck.IntN(20))
				for k := range events {
					events[k] = t.luck.Uint64()
				}
				h := history{trial: t, paid: t.luck.IntN(4) == 0, tier: t.luck.IntN(2) == 0}
				told, err := h.live(filepath.Join(t.dir, fmt.Sprint(i)), events, t.count)
				if err != nil {
					return fmt.Errorf("history %d: %w", i, err)
				}
				if told != "" {
					t.wrong("history %d: %s", i, h.shortest(filepath.Join(t.dir, fmt.Sprint(i, "-shorter")), events, told))
				}
			}
			return nil
		},
	}
}

type history struct {
	*trial
	paid bool // with images of an emulator beside the sketches
	tier bool // with a second tier of the store, so that .imgbuild may go
}

// broken is what was found, on its way through all that lives a history.
type broken struct{ text string }

// live makes a history happen. What it tells is a violation.
func (h *history) live(dir string, events []uint64, count func(string, int)) (told string, err error) {
	w := &world{history: h, dir: dir, count: count, model: newModel(), user: map[string][]byte{}}
	defer os.RemoveAll(dir)
	defer func() {
		switch p := recover().(type) {
		case nil:
		case broken:
			told = fmt.Sprintf("%s\n  after: %s\n%s", p.text, strings.Join(w.told, "; "), indent(w.text()))
		default:
			told = fmt.Sprintf("panic: %v\n  after: %s\n%s\n%s", p, strings.Join(w.told, "; "), indent(w.text()), debug.Stack())
		}
	}()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	endpoint := ""
	if h.paid {
		var stop func()
		if w.service, endpoint, stop, err = serve(h.ctx, emulator.Config{Profile: "current"}); err != nil {
			return "", err
		}
		defer stop()
	}
	w.now = project{endpoint: endpoint, tier: h.tier}
	for _, e := range events {
		if h.ctx.Err() != nil {
			return "", h.ctx.Err()
		}
		count("events", 1)
		w.event(rand.New(rand.NewPCG(e, 1)))
	}
	return "", nil
}

const mostShorter = 60 // histories that are lived to find a shorter one

// shortest drops events as long as something is still wrong.
func (h *history) shortest(dir string, events []uint64, told string) string {
	quiet := func(string, int) {}
	tries := 0
	for size := len(events) / 2; size > 0; {
		dropped := false
		for at := 0; at+size <= len(events) && tries < mostShorter; tries++ {
			less := slices.Delete(slices.Clone(events), at, at+size)
			if now, err := h.live(dir, less, quiet); err == nil && now != "" {
				events, told, dropped = less, now, true
			} else {
				at += size
			}
		}
		if !dropped || size > len(events) {
			size /= 2
		}
	}
	return told
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ")
}

// world is a project folder and all that happened to it.
type world struct {
	*history
	dir      string
	count    func(string, int)
	service  *emulator.Server // nil without
	now      project
	texts    []project // earlier configurations
	branches []branch
	model    *model
	user     map[string][]byte // files of the user's
	told     []string
	serial   int
}

// branch is what version control has: configuration, lock and outputs.
type branch struct {
	project project
	lock    []byte
	files   map[string][]byte
	held    map[string]*held // the model's idea of the lock
}

func (w *world) note(format string, args ...any) {
	w.told = append(w.told, fmt.Sprintf(format, args...))
}

func (w *world) broken(format string, args ...any) { panic(broken{fmt.Sprintf(format, args...)}) }

func (w *world) must(err error) {
	if err != nil {
		panic(err)
	}
}

func (w *world) text() string { return w.now.text() }

func (w *world) file(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

// do runs imgbuild in this process.
func (w *world) do(args ...string) ended {
	var stdout, stderr bytes.Buffer
	code := cli.Main(&cli.Env{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Args: args, Dir: w.dir, Now: time.Now,
		Getenv: func(name string) string {
			switch name {
			case "HOME":
				return w.trial.dir
			case "PATH": // git is on it
				return os.Getenv(name)
			}
			return ""
		},
	})
	return ended{code, stdout.String(), stderr.String()}
}

// locked is an entry of the lockfile.
type locked struct {
	Request    string
	Candidates []struct{ Sha256 string }
	Pick       int
	Outputs    map[string]struct {
		Sha256 string
		Of     int
	}
}

// same reports whether two candidates are one picture: a second roll may be like
// the first.
func (e *locked) same(i, k int) bool {
	n := len(e.Candidates)
	return i == k || i > 0 && k > 0 && i <= n && k <= n && e.Candidates[i-1] == e.Candidates[k-1]
}

func (e *locked) rolls() (out []string) {
	for _, c := range e.Candidates {
		out = append(out, c.Sha256)
	}
	return out
}

func (w *world) readLock() map[string]*locked {
	b, err := os.ReadFile(w.file("imgbuild.lock.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	w.must(err)
	var lock struct{ Images map[string]*locked }
	if err := json.Unmarshal(b, &lock); err != nil {
		w.broken("the lock: %v", err)
	}
	return lock.Images
}

// disk is every file that is neither configuration nor imgbuild's own.
func (w *world) disk() map[string][]byte {
	out := map[string][]byte{}
	w.must(filepath.WalkDir(w.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		short, err := filepath.Rel(w.dir, name)
		if err != nil {
			return err
		}
		switch short = filepath.ToSlash(short); {
		case short == ".imgbuild" || short == tierPath:
			return fs.SkipDir
		case d.IsDir() || short == "site.img.hcl" || short == "imgbuild.lock.json":
			return nil
		}
		b, err := os.ReadFile(name)
		out[short] = b
		return err
	}))
	return out
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func (w *world) charged() int {
	if w.service == nil {
		return 0
	}
	return w.service.Stats().Images
}

func (w *world) write() { w.must(os.WriteFile(w.file("site.img.hcl"), []byte(w.text()), 0o666)) }

// steps are those of a plan.
type step struct {
	Address, Verb string
	Why           []struct{ Cause, New string }
}

func (w *world) plan(args ...string) []step {
	e := w.do(append([]string{"plan", "-json"}, args...)...)
	if e.code != 0 {
		w.broken("plan ended with %d: %s", e.code, e.stderr)
	}
	var p struct{ Steps []step }
	if err := json.Unmarshal([]byte(e.stdout), &p); err != nil {
		w.broken("plan -json: %v", err)
	}
	return p.Steps
}

// apply carries the configuration out, with a crash on the way if how says so,
// and holds what became of it to the model.
func (w *world) apply(luck *rand.Rand, replace string, crash bool) {
	w.count("applies", 1)
	w.write()
	args := []string{"apply", "-auto-approve", "-json", "-max-cost=100"}
	if replace != "" {
		args = append(args, "-replace="+replace)
	}
	before := w.disk()
	// A file that is in the way stops its image, and only that; the user takes
	// it away.
	if conflicts := w.conflicts(before); len(conflicts) > 0 {
		w.count("conflicts", 1)
		w.settle(conflicts, before)
		before = w.disk()
	}
	paid := w.charged()
	w.keep() // before the crash, which may come when all is done
	if crash {
		w.count("crashes", 1)
		w.crash(luck, args)
	}
	e := w.do(args...)
	slack := 0
	if crash && e.code == 4 { // killed before the id of its job came
		for _, s := range w.plan() {
			if s.Verb == "hold" {
				slack += w.now.get(strings.TrimPrefix(s.Address, "image.")).n
			}
		}
		e = w.do(append(args, "-retry-in-doubt")...)
	}
	if e.code != 0 {
		w.broken("apply ended with %d: %s%s", e.code, e.stderr, e.stdout)
	}
	received := map[string]int{}
	for line := range strings.Lines(e.stdout) {
		var ev struct{ Type, Address string }
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			w.broken("apply -json wrote %q", line)
		}
		if ev.Type == "image_received" {
			received[ev.Address]++
		}
	}
	if crash {
		received = nil // some came before it
	}
	bought, charged := w.model.applied(w, received, replace)
	w.count("bought", bought)
	if got := w.charged() - paid; got < charged || got > charged+slack {
		w.broken("%d images were charged, the model bought %d, %d were in doubt", got, charged, slack)
	}
	w.count("charged", charged)

	again := w.do("plan", "-detailed-exitcode")
	if again.code != 0 {
		w.broken("the second plan ended with %d: %s%s", again.code, again.stdout, again.stderr)
	}
	w.files(before)
	if e := w.do("verify"); e.code != 0 {
		w.broken("verify ended with %d: %s%s", e.code, e.stdout, e.stderr)
	}
	w.now.settle() // moved and removed blocks have done their work
	w.texts = append(w.texts, w.now.clone())
	lock, _ := os.ReadFile(w.file("imgbuild.lock.json"))
	w.branches = append(w.branches, branch{w.now.clone(), lock, w.outputs(), w.model.lock})
}

// keep makes the files of images that go without them the user's, and those
// that the user has changed.
func (w *world) keep() {
	lock, want, disk := w.readLock(), w.now.paths(), w.disk()
	for _, name := range w.now.removed {
		if e := lock["image."+name]; e != nil {
			for p := range e.Outputs {
				if _, there := disk[p]; there && want[p] == nil {
					w.user[p] = disk[p]
				}
			}
		}
	}
}

// crash kills an apply.
func (w *world) crash(luck *rand.Rand, args []string) {
	cmd := w.imgbuild(w.dir, args...)
	out, err := cmd.StdoutPipe()
	w.must(err)
	w.must(cmd.Start())
	at := luck.IntN(20)
	buf := make([]byte, 256)
	for range at {
		if _, err := out.Read(buf); err != nil {
			break
		}
	}
	time.AfterFunc(time.Duration(luck.Int64N(int64(4*time.Millisecond))), func() { cmd.Process.Kill() })
	io.Copy(io.Discard, out)
	cmd.Wait()
}

// files holds the disk to the model.
func (w *world) files(before map[string][]byte) {
	want := w.now.paths()
	disk := w.disk()
	for _, p := range slices.Sorted(maps.Keys(disk)) {
		if _, ours := want[p]; ours {
			continue
		}
		was, users := w.user[p]
		switch {
		case !users:
			w.broken("%s is on disk, and nobody wants it", p)
		case !bytes.Equal(was, disk[p]):
			w.broken("%s is the user's and was changed", p)
		}
	}
	for p := range w.user {
		if _, there := disk[p]; !there {
			w.broken("%s is the user's and is gone", p)
		}
	}
	lock := w.readLock()
	for _, p := range slices.Sorted(maps.Keys(want)) {
		b, there := disk[p]
		if !there {
			w.broken("%s of %s is not on disk", p, want[p].address())
		}
		e := lock[want[p].address()]
		if o, ok := e.Outputs[p]; !ok || o.Sha256 != sum(b) || !e.same(o.Of, w.model.lock[want[p].address()].pick) {
			w.broken("%s: disk and lock differ, or it is not of candidate %d: %+v", p, w.model.lock[want[p].address()].pick, e.Outputs)
		}
		if im := want[p]; !im.paid() && p == im.path() && !im.jpeg && sum(b) != w.model.lock[im.address()].picked() {
			w.broken("%s is not the picture that was picked", p)
		}
	}
	for a, e := range lock {
		for p := range e.Outputs {
			if im := want[p]; im == nil || im.address() != a {
				w.broken("the lock says that %s has %s", a, p)
			}
		}
	}
}

// outputs are the files of imgbuild.
func (w *world) outputs() map[string][]byte {
	out := w.disk()
	for p := range w.user {
		delete(out, p)
	}
	return out
}

// conflicts are the files that stand where imgbuild would write and that are
// not what it wrote there, by the model's idea of it.
func (w *world) conflicts(disk map[string][]byte) map[string]string {
	out := map[string]string{}
	want := w.now.paths()
	for p, im := range want {
		if _, users := w.user[p]; users {
			out[p] = im.address()
		}
	}
	return out
}

// settle looks what imgbuild makes of files in its way, and then takes them away.
func (w *world) settle(conflicts map[string]string, before map[string][]byte) {
	stand := map[string]bool{}
	for _, s := range w.plan() {
		if s.Verb == "conflict" {
			stand[s.Address] = true
		}
	}
	for _, p := range slices.Sorted(maps.Keys(conflicts)) {
		a := conflicts[p]
		// Its own picture, byte for byte, is taken as it is.
		if !stand[a] && !w.adopts(p, before[p]) && !w.model.waits(w, a) {
			w.broken("%s is in the way of %s, and the plan does not say so", p, a)
		}
	}
	for p := range conflicts {
		w.note("the user removes %s", p)
		w.must(os.Remove(w.file(p)))
		delete(w.user, p)
	}
}

// adopts reports whether a file is one of the pictures of the project.
func (w *world) adopts(p string, b []byte) bool {
	s := sum(b)
	for _, rolls := range w.model.pool {
		if slices.Contains(rolls, s) {
			return true
		}
	}
	return false
}
