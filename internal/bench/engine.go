package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// engine is the rows that drive internal/apply, in a process of its own.
func engine(l *lab) []row {
	small, large, timed := applied(l, 100), applied(l, 10000), scheduled(l)
	return []row{
		l.sized(row{name: "apply, engine alone, an image", probes: []*probe{large}, must: 1, aim: 0.4, unit: milliseconds, read: func(l *lab) (figures, error) {
			each := median(l.samples[large.name].cost)
			return figures{cpu(each), "-", each.Seconds() * 1e3}, nil
		}}, 10000),
		l.sized(versus("apply, engine, an image of 10k to one of 100", large, small, "at 100", 1.2, 1.1), 10000),
		{name: "apply, 1k images of 1-10 s, 8 at once", probes: []*probe{timed}, must: 1.05, aim: 1.02, unit: times, read: func(l *lab) (figures, error) {
			var makespan, bound float64
			if _, err := fmt.Sscanf(l.samples[timed.name].said, "makespan %f bound %f\n", &makespan, &bound); err != nil {
				return figures{}, err
			}
			return figures{fmt.Sprintf("%.0f s", makespan), fmt.Sprintf("%.0f s is the least", bound), makespan / bound}, nil
		}},
	}
}

func applied(l *lab, n int) *probe {
	return &probe{name: fmt.Sprintf("engine-%d", n), dir: l.dir, argv: []string{l.self, "-engine", strconv.Itoa(n)}, cost: counted}
}

// counted is the figure of a child that counts for itself: "9 ns an image".
func counted(r ran) (time.Duration, error) {
	var each int64
	_, err := fmt.Sscanf(r.stdout, "%d ns ", &each)
	return time.Duration(each), err
}

// scheduled runs once: in virtual time, every round would say the same.
func scheduled(l *lab) *probe {
	return &probe{name: "schedule", dir: l.dir, argv: []string{l.self, "-schedule", "1000"}, says: "makespan", most: 1}
}

var errNoCPU = errors.New("this system does not tell the CPU time of a process")

// runEngine applies plans of n new images until a thousand are made at least,
// and tells the CPU time of an image. The maker answers at once with a tiny
// picture; everything else is as in a real run, with every sync.
func runEngine(w io.Writer, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	images := make([]spec.Image, n)
	for i := range images {
		images[i] = wish(i, "")
	}
	var spent time.Duration
	made := 0
	for made < 1000 {
		err := inFolder(func(dir string) error {
			before := selfCPU()
			maker := &bare{}
			err := applyAll(dir, images, maker)
			if made := maker.made.Load(); err == nil && made != int64(n) {
				err = fmt.Errorf("%d pictures made for %d images", made, n)
			}
			spent += selfCPU() - before
			return err
		})
		if err != nil {
			return err
		}
		made += n
	}
	if spent <= 0 {
		return errNoCPU
	}
	fmt.Fprintf(w, "%d ns an image\n", int64(spent)/int64(made))
	return nil
}

// runSchedule applies n images whose latencies are 1 to 10 s, 8 at once, in
// virtual time, and tells how long it took and how long it takes at least.
func runSchedule(w io.Writer, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	images := chains(n)
	maker := &bare{latency: latency}
	var makespan time.Duration
	os.Args = os.Args[:1] // what follows is not for package testing
	synctested := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			err := inFolder(func(dir string) error {
				start := time.Now()
				err := applyAll(dir, images, maker)
				makespan = time.Since(start)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(w, "makespan %.3f bound %.3f\n", makespan.Seconds(), bound(images, parallel).Seconds())
		})
	}
	// Virtual time is only to be had in a test. Main does not return.
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "schedule", F: synctested}}, nil, nil)
	return nil
}

// parallel is how many requests are in flight at once.
const parallel = 8

func wish(i int, edits spec.Address) spec.Image {
	im := spec.Image{
		Address: spec.Address("image." + name(i)),
		Wanted:  spec.Wanted{Provider: "bare", Prompt: image(i, "16x16").Prompt, Size: "16x16"},
		N:       1,
		Path:    fmt.Sprintf("%s/%04d/%s.png", pictures, i/perFile, name(i)),
	}
	if edits != "" {
		im.Wanted.Sources = []spec.Source{{Image: edits}}
	}
	return im
}

// chains is n images, sorted by address: single ones, then a chain of n·6/100
// edits and 20 chains of n/100. The chains come last, so that the order of the
// plan is of no help.
func chains(n int) []spec.Image {
	lengths := append([]int{n * 6 / 100}, slices.Repeat([]int{n / 100}, 20)...)
	images := make([]spec.Image, 0, n)
	for i := range n - lengths[0] - 20*lengths[1] {
		images = append(images, wish(i, ""))
	}
	for _, length := range lengths {
		edits := spec.Address("")
		for range length {
			images = append(images, wish(len(images), edits))
			edits = images[len(images)-1].Address
		}
	}
	return images
}

// latency is 1 to 10 s, by the prompt.
func latency(prompt string) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(prompt))
	return time.Second + time.Duration(h.Sum32()%9001)*time.Millisecond
}

// bound is the least time in which images can be made, atOnce of them in
// flight: the work spread evenly, or the longest chain.
func bound(images []spec.Image, atOnce int) time.Duration {
	var sum, longest time.Duration
	ends := map[spec.Address]time.Duration{}
	for _, im := range images {
		took := latency(im.Wanted.Prompt)
		sum += took
		for _, a := range im.Edges() {
			took = max(took, ends[a]+latency(im.Wanted.Prompt))
		}
		ends[im.Address] = took
		longest = max(longest, took)
	}
	return max(sum/time.Duration(atOnce), longest)
}

// applyFolders are the folders of the children that apply. They stay until the
// bench ends: on ext4 a file that is made soon after others were deleted costs
// several times as much, because it steps over each of their inodes.
const applyFolders = "apply-"

func inFolder(do func(dir string) error) error {
	dir, err := os.MkdirTemp(".", applyFolders)
	if err != nil {
		return err
	}
	return do(dir)
}

// applyAll plans images for an empty folder and applies the plan.
func applyAll(dir string, images []spec.Image, maker provider.Maker) (err error) {
	root, err := workspace.Open(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	offer := func(_, model string) (*provider.Offer, bool) { o, ok := maker.Offer(model); return &o, ok }
	p, err := planAll(images, offer)
	if err != nil {
		return err
	}
	j, _, err := journal.Open(root.FS(workspace.Own + "/journal"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	var saved digest.Content
	e := apply.Engine{
		Out: root, Sources: root, Store: &store.Tiers{Local: store.Open(root.FS(workspace.Own + "/store"))}, Journal: j, Lock: &lock.Lock{},
		SaveLock: func(l *lock.Lock) error {
			text := l.Bytes()
			written, err := root.Write(lock.File, func(w io.Writer) error { _, err := w.Write(text); return err }, saved)
			saved = written.Content
			return err
		},
		Maker: func(string) (provider.Maker, error) { return maker, nil }, Offer: offer,
		Process: "bench", Run: "bench", Parallelism: parallel, Event: func(apply.Event) {}, Now: time.Now,
	}
	result, err := e.Apply(context.Background(), nil, p)
	if err != nil {
		return err
	}
	if done := result.Count(apply.Done); done != len(images) {
		return fmt.Errorf("%d of %d images done: %s", done, len(images), firstFailure(result))
	}
	return errors.Join(e.Settle(true), root.SaveIndex())
}

// planAll plans images of which nothing is known yet.
func planAll(images []spec.Image, offer func(string, string) (*provider.Offer, bool)) (*plan.Plan, error) {
	in := plan.Input{
		Tool: "bench", Images: images, Offer: offer, Lock: &lock.Lock{}, Seen: func(string) plan.Seen { return plan.Seen{} },
		Bought: map[digest.Request][]plan.Bought{}, Held: map[digest.Content]bool{}, Hashes: map[string]digest.Content{},
	}
	for {
		p := plan.Make(in)
		if len(p.Problems) > 0 {
			return nil, fmt.Errorf("plan: %s: %s", p.Problems[0].Address, p.Problems[0].Text)
		}
		if p.Asks.None() {
			return p, nil
		}
		for _, r := range p.Asks.Requests {
			in.Bought[r] = nil
		}
		for _, c := range p.Asks.Contents {
			in.Held[c] = false
		}
		for _, f := range p.Asks.Files {
			in.Hashes[f] = digest.Content{}
		}
	}
}

func firstFailure(r apply.Result) string {
	for _, o := range r.Outcomes {
		if o.Kind != apply.Done {
			return fmt.Sprintf("%s %s: %s", o.Address, o.Kind, o.Text)
		}
	}
	return "no failure is told"
}

// bare is a maker that answers with a tiny picture, each time another one, as
// soon as its latency has passed.
type bare struct {
	latency func(prompt string) time.Duration // nil for none
	made    atomic.Int64
}

func (b *bare) Offer(string) (provider.Offer, bool) {
	return provider.Offer{
		Provider: "bare", Model: "bare-1", AnySize: true, MaxN: 10, MaxInputs: 1,
		Price: func(*provider.Request) (provider.Money, bool) { return 0, true },
	}, true
}

func (b *bare) Make(_ context.Context, r *provider.Request, s provider.Sink) (provider.Reply, error) {
	if err := s.Sent(); err != nil {
		return provider.Reply{}, err
	}
	if b.latency != nil {
		time.Sleep(b.latency(r.Prompt))
	}
	f, err := s.Spool(0)
	if err != nil {
		return provider.Reply{}, err
	}
	_, err = f.Write(tiny(uint32(b.made.Add(1))))
	if err := errors.Join(err, f.Close()); err != nil {
		return provider.Reply{}, err
	}
	return provider.Reply{}, s.Delivered(0, provider.Delivery{MIME: "image/png"}, 0)
}

func (b *bare) Resume(context.Context, string, *provider.Request, provider.Sink) (provider.Reply, error) {
	panic("the bench resumes no job")
}

func (b *bare) Fetch(context.Context, string, io.Writer) error {
	panic("the bench delivers no URL")
}

// blank is an empty picture of 16 by 16 pixels.
var blank = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	if _, err := imaging.New(16, 16).Encode(&b, "png", 0, false); err != nil {
		panic(err)
	}
	return b.Bytes()
})

// tiny is the i-th blank picture.
func tiny(i uint32) []byte { return stamped(blank(), i) }

// stamped is a PNG with a comment that makes its bytes the i-th ones.
func stamped(png []byte, i uint32) []byte {
	const end = 12 // bytes of the chunk IEND: length, name, CRC
	text := fmt.Appendf(nil, "tEXtComment\x00%d", i)
	out := slices.Clone(png[:len(png)-end])
	out = binary.BigEndian.AppendUint32(out, uint32(len(text)-4))
	out = append(out, text...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(text))
	return append(out, png[len(png)-end:]...)
}
