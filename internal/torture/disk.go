package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/emulator"
	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// faultEnv is what a victim breaks its own disk with: a name out of diskFaults,
// the operation, and where to say whether it got there.
const faultEnv = "IMGBUILD_TORTURE_FAULT"

// diskFaults are what can become of one operation. A disk that is full or
// can't be written stays so; the others are over at once.
var diskFaults = []struct {
	name  string
	fault faultfs.Fault
}{
	{"SIGKILL", faultfs.Fault{Kind: faultfs.Kill}},
	{"EIO", faultfs.Fault{Kind: faultfs.Fail, Err: syscall.EIO}},
	{"ENOSPC", faultfs.Fault{Kind: faultfs.Full, Err: syscall.ENOSPC}},
	{"EROFS", faultfs.Fault{Kind: faultfs.Frozen, Err: syscall.EROFS}},
	{"short write", faultfs.Fault{Kind: faultfs.Short, Err: syscall.ENOSPC}},
}

// onBrokenDisk is imgbuild with a fault, "KIND N FILE".
func onBrokenDisk(env *cli.Env, fault string) int {
	var kind, at int
	var file string
	if _, err := fmt.Sscan(fault, &kind, &at, &file); err != nil {
		panic(err)
	}
	f := diskFaults[kind].fault
	f.At = at
	var disk *faultfs.FS
	env.Now = hurried()
	env.Open = func(dir string) (*workspace.Root, error) {
		return workspace.OpenOver(dir, func(f2 workspace.FS) workspace.FS {
			disk = faultfs.Wrap(f2, f)
			return disk
		})
	}
	code := cli.Main(env)
	if err := os.WriteFile(file, fmt.Append(nil, disk.Ops(), disk.Hit()), 0o666); err != nil {
		panic(err)
	}
	return code
}

// hurried is a clock that runs a hundred times as fast, so that the lock is
// saved more than once in a short run.
func hurried() func() time.Time {
	begin := time.Now()
	return func() time.Time { return begin.Add(100 * time.Since(begin)) }
}

const diskImages = 20

// diskWays are how the pictures come.
var diskWays = map[string][]string{
	"sketch":        {sketched},
	"deferred jobs": {"deferred = true"},
	"plain calls":   {"deferred = false", "deferred = false\n  response = \"b64_json\""},
}

const sketched = "sketch"

// diskSite is a project of so many images, of which every fifth is an edit of
// another, and one has a rendition.
func diskSite(endpoint, way string, images int) string {
	var b strings.Builder
	size := ""
	if way == sketched {
		fmt.Fprintf(&b, "provider \"sketch\" {}\n")
		size = "  size   = \"64x64\"\n"
	} else {
		fmt.Fprintf(&b, "provider \"xai\" {\n  endpoint = %q\n  %s\n}\n", endpoint, way)
	}
	for i := range images {
		fmt.Fprintf(&b, "image \"i%02d\" {\n  prompt = \"Sheet %d.\"\n%s  path   = \"out/i%02d.png\"\n", i, i, size, i)
		if source, ok := editOf(i); ok {
			fmt.Fprintf(&b, "  edit {\n    image = image.i%02d\n  }\n", source)
		}
		if i == 0 {
			b.WriteString("  rendition \"small\" {\n    path  = \"out/small/i00.png\"\n    width = 32\n  }\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// editOf is the image that one is an edit of.
func editOf(i int) (source int, ok bool) { return i - 4, i%5 == 4 }

// place is the folder of a victim as the attacker sees it.
type place struct {
	run   func(args ...string) (ended, error)
	read  func(name string) ([]byte, error)
	files func() ([]string, error) // all, as slash paths
	had   int                      // images that it had before the attack, the first ones
}

// onDisk is a project in a real folder.
func (t *trial) onDisk(dir string) place {
	return place{
		run:  func(args ...string) (ended, error) { return t.do(dir, args...) },
		read: func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))) },
		files: func() (names []string, err error) {
			err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					name, err = filepath.Rel(dir, name)
					names = append(names, filepath.ToSlash(name))
				}
				return err
			})
			return names, err
		},
	}
}

// lockfile is a lockfile with the text of each entry.
type lockfile struct {
	text   []byte
	images map[string]json.RawMessage
}

// lockOf reads the lockfile; there may be none.
func (p place) lockOf() (l lockfile, err error) {
	l.text, err = p.read("imgbuild.lock.json")
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	return l, l.parse()
}

func (l *lockfile) parse() error {
	var file struct {
		Format int
		Images map[string]json.RawMessage
	}
	err := json.Unmarshal(l.text, &file)
	if err == nil && (file.Format == 0 || file.Images == nil) {
		err = errors.New("it has no format or no images")
	}
	l.images = file.Images
	return err
}

// within tells the first entry that differs from that of a whole lock. What is
// missing is not told; nor is, if some may be, an output.
func (l lockfile) within(whole lockfile, some bool) (wrong string) {
	for _, a := range slices.Sorted(maps.Keys(l.images)) {
		got, want := string(l.images[a]), string(whole.images[a])
		if some {
			got, _, _ = strings.Cut(got, "\"outputs\"")
			got = strings.TrimRight(got, " \n},")
			want = want[:min(len(got), len(want))]
		}
		if got != want {
			return fmt.Sprintf("%s is %s, must be %s", a, l.images[a], whole.images[a])
		}
	}
	return ""
}

// told is what a run said on -json.
type told struct {
	received []string // images that came, or are done
	troubles []string // with their hints
	unhinted []string
}

func listen(stdout, stderr string) (out told) {
	tell := func(text, hint string) {
		if hint == "" {
			out.unhinted = append(out.unhinted, text)
		}
		out.troubles = append(out.troubles, text+" Hint: "+hint)
	}
	for line := range strings.Lines(stdout) {
		var e struct{ Type, Address, Message, Hint string }
		if json.Unmarshal([]byte(line), &e) != nil {
			continue // cut short by a kill
		}
		switch e.Type {
		case "image_received", "step_done":
			out.received = append(out.received, e.Address)
		case "step_failed", "step_in_doubt", "step_accepted", "step_stale":
			tell(e.Message, e.Hint)
		}
	}
	lines := strings.Split(stderr, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "Error: ") || strings.HasPrefix(line, "Warning: ") {
			hint := ""
			for _, next := range lines[i+1:] {
				if h, ok := strings.CutPrefix(next, "  Hint: "); ok {
					hint = h
					break
				}
				if !strings.HasPrefix(next, " ") {
					break
				}
			}
			tell(line, hint)
		}
	}
	return out
}

// after applies again after an attack, without a fault, and holds the end
// against the one without any attack.
func (t *trial) after(what string, p place, said told, whole lockfile, service *emulator.Server) error {
	wrong := func(format string, args ...any) { t.wrong("%s: %s", what, fmt.Sprintf(format, args...)) }
	if l, err := p.lockOf(); err != nil {
		t.count("unreadable", 1)
		wrong("the lock after it: %v: %q", err, l.text)
	} else if bad := l.within(whole, true); bad != "" {
		wrong("the lock after it is neither old nor new: %s", bad)
	}
	for i := range p.had {
		if l, err := p.lockOf(); err == nil && l.images[address(i)] == nil {
			t.count("lost", 1)
			wrong("the lock after it has no %s, which it had before: %q", address(i), l.text)
		}
	}
	again, err := p.run("apply", "-auto-approve", "-max-cost=10")
	if err != nil {
		return err
	}
	held, err := t.held(p)
	if err != nil {
		return err
	}
	t.count("in doubt", len(held))
	if len(held) > killParallelism {
		wrong("%d are in doubt, at %d at once: %s", len(held), killParallelism, again.stdout)
	}
	code := 0
	if len(held) > 0 {
		code = 4
	}
	if again.code != code {
		wrong("the apply after it ended with %d, not with %d: %s%s", again.code, code, again.stdout, again.stderr)
	}

	l, err := p.lockOf()
	if err != nil {
		t.count("unreadable", 1)
		wrong("the lock after the second apply: %v", err)
		return nil
	}
	missing := maps.Clone(held)
	for i := range diskImages {
		if source, ok := editOf(i); ok && held[address(source)] {
			missing[address(i)] = true
		}
	}
	switch bad := l.within(whole, false); {
	case len(missing) == 0 && !bytes.Equal(l.text, whole.text):
		t.count("other locks", 1)
		wrong("the lock is another one: %s", bad)
	case bad != "":
		t.count("other locks", 1)
		wrong("the lock is another one: %s", bad)
	}
	for a := range whole.images {
		if have := l.images[a] != nil; have == missing[a] {
			wrong("%s: in the lock %v, in doubt %v: %s%s", a, have, missing[a], again.stdout, again.stderr)
		}
	}
	for _, a := range said.received {
		if l.images[a] == nil {
			t.count("lost", 1)
			wrong("%s was told as received and is not in the lock", a)
		}
	}
	t.settled(wrong, p.had, held, l, service)
	return t.tidy(wrong, p, l)
}

func address(i int) string { return fmt.Sprintf("image.i%02d", i) }

// held are the images that a plan says are in doubt.
func (t *trial) held(p place) (map[string]bool, error) {
	e, err := p.run("plan", "-json")
	if err != nil {
		return nil, err
	}
	var plan struct {
		Steps []struct{ Verb, Address string }
	}
	if err := json.Unmarshal([]byte(e.stdout), &plan); err != nil {
		return nil, fmt.Errorf("plan -json: %w: %s%s", err, e.stdout, e.stderr)
	}
	held := map[string]bool{}
	for _, s := range plan.Steps {
		if s.Verb == "hold" {
			held[s.Address] = true
		}
	}
	return held, nil
}

// settled compares what was charged with what is known of it.
func (t *trial) settled(wrong func(string, ...any), had int, held map[string]bool, l lockfile, service *emulator.Server) {
	if service == nil {
		return
	}
	charges := map[string]int{}
	for _, c := range service.Stats().Charges {
		charges[c.Prompt] += c.Images
	}
	for i := had; i < diskImages; i++ {
		a, prompt := address(i), fmt.Sprintf("Sheet %d.", i)
		n := charges[prompt]
		if held[a] {
			t.count("of these charged", n)
		}
		switch {
		case n > 1:
			t.count("paid twice", n-1)
			wrong("%s was charged %d times", a, n)
		case n == 0 && l.images[a] != nil:
			wrong("%s is in the lock and was never charged", a)
		case n == 1 && l.images[a] == nil && !held[a]:
			t.count("lost", 1)
			wrong("%s was charged, and is neither in the lock nor in doubt", a)
		}
	}
}

// tidy holds the files against the lock, and finds what was left lying about.
func (t *trial) tidy(wrong func(string, ...any), p place, l lockfile) error {
	for a, text := range l.images {
		var entry struct {
			Outputs map[string]struct{ SHA256 string }
		}
		if err := json.Unmarshal(text, &entry); err != nil {
			return err
		}
		if len(entry.Outputs) == 0 {
			wrong("%s has no output", a)
		}
		for name, o := range entry.Outputs {
			b, err := p.read(name)
			if sum := sha256.Sum256(b); err != nil || hex.EncodeToString(sum[:]) != o.SHA256 {
				wrong("%s is not what the lock says: %v", name, err)
			}
		}
	}
	names, err := p.files()
	for _, name := range names {
		if strings.Contains(name, ".imgbuild-tmp-") || strings.HasPrefix(name, ".imgbuild/store/tmp/") {
			t.count("left lying", 1)
			wrong("%s is left", name)
		}
	}
	return err
}

// kept are the ends without an attack, by way.
type kept map[string]lockfile

// whole is the end of an apply without an attack.
func (k kept) whole(way string, run func() (place, error)) (lockfile, error) {
	if l, ok := k[way]; ok {
		return l, nil
	}
	p, err := run()
	if err != nil {
		return lockfile{}, err
	}
	l, err := p.lockOf()
	if err == nil && len(l.images) == 0 {
		err = errors.New("there is no lock after an apply without an attack")
	}
	k[way] = l
	return l, err
}

// diskRow breaks one operation of the file system in an apply. Its attacks are
// each operation with each fault, once: the long count is so many that the
// last operations are not reached any more.
func diskRow(way string, operations int) *row {
	must := "the same final lock, byte for byte, but for the requests in doubt"
	if way == sketched {
		must = "the same final lock, byte for byte"
	}
	r := &row{
		name: "each file-system operation, " + way, must: must,
		long: operations * len(diskFaults), batch: 5 * len(diskFaults), short: len(diskFaults),
		sees: []string{"broken", "not reached", "unreadable", "lost", "paid twice", "other locks", "left lying", "in doubt", "of these charged"},
	}
	for _, f := range diskFaults {
		r.sees = append(r.sees, f.name)
	}
	r.run = func(t *trial) error {
		ends := kept{}
		for i := range t.n {
			n := scatter(t.from+i, r.long)
			ways := diskWays[way]
			dir := filepath.Join(t.dir, fmt.Sprint(i))
			if err := t.breakDisk(dir, ways[t.luck.IntN(len(ways))], n%len(diskFaults), n/len(diskFaults)+1, operations, ends); err != nil {
				return err
			}
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
		return nil
	}
	return r
}

// scatter puts n in another order, in which any first few are spread over all.
func scatter(i, n int) int {
	step := int(float64(n) * 0.618)
	for gcd(step, n) != 1 {
		step++
	}
	return i % n * step % n
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// set makes a project in a folder, with its service.
func (t *trial) set(dir, way string) (service *emulator.Server, stop func(), err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, nil, err
	}
	service, endpoint, stop, err := t.service(way)
	if err != nil {
		return nil, nil, err
	}
	return service, stop, os.WriteFile(filepath.Join(dir, "site.img.hcl"), []byte(diskSite(endpoint, way, diskImages)), 0o666)
}

// Pictures of rows that ask for the same ones again and again.
var (
	flat    = emulator.Album{Flat: true}
	painted emulator.Album
)

// service is an emulator for a way that needs one.
func (t *trial) service(way string) (*emulator.Server, string, func(), error) {
	if way == sketched {
		return nil, "", func() {}, nil
	}
	return serve(t.ctx, emulator.Config{Album: &flat})
}

func (t *trial) breakDisk(dir, way string, kind, at, operations int, ends kept) error {
	whole, err := ends.whole(way, func() (place, error) {
		dir := filepath.Join(t.dir, "whole-"+fmt.Sprint(len(ends)))
		p := t.onDisk(dir)
		_, stop, err := t.set(dir, way)
		if err == nil {
			defer stop()
			_, err = p.run("apply", "-auto-approve", "-max-cost=10")
		}
		return p, err
	})
	if err != nil {
		return err
	}
	service, stop, err := t.set(dir, way)
	if err != nil {
		return err
	}
	defer stop()
	fault := diskFaults[kind]
	what := fmt.Sprintf("%s, %s at operation %d", way, fault.name, at)
	cmd := t.imgbuild(dir, "apply", "-auto-approve", "-json", "-max-cost=10")
	report := dir + ".report"
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d %d %s", faultEnv, kind, at, report))
	first, err := t.finish(cmd)
	if err != nil {
		return err
	}
	said := listen(first.stdout, first.stderr)
	reached := true
	if killed := first.code == -1; !killed {
		b, err := os.ReadFile(report)
		if err != nil {
			return err
		}
		var ops int
		if _, err := fmt.Sscan(string(b), &ops, &reached); err != nil {
			return err
		}
	} else if fault.fault.Kind != faultfs.Kill {
		t.wrong("%s: it was killed by somebody else", what)
	}
	switch {
	case !reached:
		t.count("not reached", 1)
	case at == operations:
		t.wrong("%s: an apply has more operations than the row breaks", what)
		fallthrough
	default:
		t.count("broken", 1)
		t.count(fault.name, 1)
	}
	p := t.onDisk(dir)
	l, err := p.lockOf()
	switch {
	case first.code == -1, err != nil: // told by after
	case first.code == 0 && !bytes.Equal(l.text, whole.text):
		t.wrong("%s: apply ended with 0, and something is missing: %s%s", what, first.stdout, first.stderr)
	case first.code != 0 && len(said.troubles) == 0:
		t.wrong("%s: apply ended with %d and no reason: %s%s", what, first.code, first.stdout, first.stderr)
	case len(said.unhinted) > 0:
		t.wrong("%s: no hint: %s", what, said.unhinted)
	case first.code != 0 && first.code != 1 && first.code != 4:
		t.wrong("%s: apply ended with %d: %s", what, first.code, cmp.Or(first.stderr, first.stdout))
	}
	return t.after(what, p, said, whole, service)
}
