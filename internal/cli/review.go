package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/lint"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/revision"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/store"
)

type reviewFlags struct {
	projectFlags
	base    string
	out     string
	approve bool
	by      string
	port    int
}

func reviewVerb() verb {
	var f reviewFlags
	return verb{
		name: "review", short: "look at the pictures in the browser: before and after, candidates, approval",
		help: `
  imgbuild review
  imgbuild review -base main
  imgbuild review -approve
  imgbuild review -base main -o review.html

Serves a page to the browser on this machine, at an address that it prints, until
Ctrl-C: all images by what became of them, before and after side by side, the
candidates, what changed word by word, findings and prices. With -base it compares
with a commit, as imgbuild diff does; else with what the next apply would do. It
follows what changes, also a running apply.

With -approve candidates can be picked there and pictures approved, as by imgbuild
pick and imgbuild approve; without it nothing can be changed. With -o it writes the
page as one file that loads nothing, for somebody else or for CI to keep.

It needs no key and no network. Only who has the address can use it, and only
pictures that it shows are served. ? on the page lists its keys.
`,
		flags: append([]urfave.Flag{
			&urfave.StringFlag{Name: "base", Usage: "compare with the commit `REF`", Destination: &f.base},
			&urfave.StringFlag{Name: "o", Usage: "write one `FILE` instead, such as review.html", Destination: &f.out},
			&urfave.BoolFlag{Name: "approve", Usage: "let pictures be picked and approved", Destination: &f.approve},
			&urfave.StringFlag{Name: "by", Usage: "approve as `NAME`; default user.name of git", Destination: &f.by},
			&urfave.IntFlag{Name: "port", Usage: "serve on port `N`; default a free one", Destination: &f.port},
		}, f.projectFlags.flags()...),
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error {
			switch {
			case f.out != "" && (f.approve || f.port != 0):
				return usage(env, "-o writes a file, in which nothing can be approved")
			case f.by != "" && !f.approve:
				return usage(env, "-by is for approvals: imgbuild review -approve -by=NAME")
			case f.port < 0 || f.port > 65535:
				return usage(env, "%d is no port", f.port)
			case f.out != "":
				return writeReview(ctx, env, &f)
			}
			return serveReview(ctx, env, &f)
		},
	}
}

// sheet is all that a review shows of the project as it is now.
func (s *session) sheet(ctx context.Context, f *reviewFlags) (*report.Sheet, *album, *report.Run, error) {
	c, err := s.compare(ctx, &f.projectFlags, f.base)
	if err != nil {
		return nil, nil, nil, err
	}
	run := s.lastRun()
	sheet, pictures, err := s.sheetOf(c, run)
	return sheet, pictures, run, err
}

// sheetOf is a comparison as a contact sheet, with its pictures.
func (s *session) sheetOf(c *comparison, run *report.Run) (*report.Sheet, *album, error) {
	findings := map[string]diag.List{}
	baseline, _, err := s.readBaseline(false)
	if err != nil {
		return nil, nil, err
	}
	linted := lint.Run(lint.Input{Project: s.project, Source: s.root, Offer: s.offer, Lock: s.lock, Today: s.env.Now().Format(time.DateOnly), Baseline: baseline})
	for _, l := range linted.List() {
		findings[l.Address] = append(findings[l.Address], l)
	}
	name := filepath.Base(s.env.Dir)
	if abs, err := filepath.Abs(s.env.Dir); err == nil {
		name = filepath.Base(abs)
	}
	sheet := report.NewSheet(name, c.model, c.head, run, func(a spec.Address) report.CardDetail {
		return report.CardDetail{Preset: s.project.Preset(a), Findings: findings[string(a)]}
	})
	return sheet, newAlbum(s, c), nil
}

// writeReview writes a review as one file.
func writeReview(ctx context.Context, env *Env, f *reviewFlags) error {
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	sheet, pictures, _, err := s.sheet(ctx, f)
	if err != nil {
		return err
	}
	return s.writeHTML(f.out, sheet, pictures)
}

// writeHTML writes a sheet as one file, whole or not at all, and tells how far
// it is if that takes long.
func (s *session) writeHTML(name string, sheet *report.Sheet, pictures *album) error {
	var o report.HTMLOptions
	if _, ok := terminal(s.env.Stderr); ok {
		told := s.env.Now()
		o.Progress = func(n, of int) {
			if now := s.env.Now(); now.Sub(told) > time.Second/4 || n == of && now.Sub(told) > 0 {
				told = now
				fmt.Fprintf(s.env.Stderr, "\r%d of %d pictures\x1b[K", n, of)
			}
		}
		defer fmt.Fprint(s.env.Stderr, "\r\x1b[K")
	}
	var b bytes.Buffer
	if err := report.HTML(&b, sheet, pictures, o); err != nil {
		return err
	}
	return writeFile(join(s.env.Dir, name), b.Bytes(), report.PageMark, "page")
}

// serveReview serves a review until the process is interrupted.
func serveReview(ctx context.Context, env *Env, f *reviewFlags) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(f.port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fail("leave out -port for a free one, or end what listens there", "-port: %d is in use", f.port)
	}
	if err != nil {
		return err
	}
	defer l.Close()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := report.NewReview(l.Addr().String(), env.Now)
	quiet := *env // what is told of the project stands on its page
	load := func(ctx context.Context) (*report.Sheet, report.Shown, *report.Run, error) {
		var told bytes.Buffer
		quiet.Stdout, quiet.Stderr = &told, &told
		s, err := openSession(&quiet)
		if err == nil {
			var sheet *report.Sheet
			var pictures *album
			var run *report.Run
			if sheet, pictures, run, err = s.sheet(ctx, f); err == nil {
				return sheet, pictures, run, nil // whose root stays open for its pictures
			}
			s.close()
		}
		return nil, nil, nil, toldError(&told, err)
	}
	// Before anybody opens a page it must be one.
	sheet, pictures, run, err := load(ctx)
	if err != nil {
		fmt.Fprintln(env.Stderr, strings.TrimSpace(err.Error()))
		return exit(exitError)
	}
	first := true
	r.Load = func(ctx context.Context) (*report.Sheet, report.Shown, *report.Run, error) {
		if first {
			first = false
			return sheet, pictures, run, nil
		}
		return load(ctx)
	}
	r.State = stateOf(env)
	if f.approve {
		if f.by = cmp.Or(f.by, revision.User(ctx, env.Getenv, env.Dir)); f.by == "" {
			return fail("imgbuild review -approve -by NAME, or git config user.name NAME", "git does not say who you are")
		}
		if err := (&lock.Approval{By: f.by}).Check(); err != nil {
			return usage(env, "an approval %v can't be written", err)
		}
		r.Pick, r.Approve = picking(env, f), approving(env, f)
	}
	fmt.Fprintln(env.Stdout, r.URL())
	fmt.Fprintln(env.Stderr, "Open this address in a browser on this machine; it is the key too. Ctrl-C ends it.")
	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// toldError is an error with all that was told before it.
func toldError(told *bytes.Buffer, err error) error {
	var code exit
	if errors.As(err, &code) && told.Len() > 0 {
		return errors.New(told.String())
	}
	return fmt.Errorf("%s%w", told, err)
}

// stateOf tells whether a project changed: by size and time of its configuration,
// of the lock and of what an apply tells.
func stateOf(env *Env) func() string {
	return func() string {
		var names []string
		_ = filepath.WalkDir(env.Dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if d.IsDir() {
				if base := d.Name(); name != env.Dir && (strings.HasPrefix(base, ".") || base == "node_modules") {
					return fs.SkipDir
				}
				return nil
			}
			if strings.Contains(d.Name(), ".img") {
				names = append(names, name)
			}
			return nil
		})
		names = append(names, join(env.Dir, lock.File), join(env.Dir, runFile))
		var b strings.Builder
		for _, name := range names {
			if fi, err := os.Stat(name); err == nil {
				fmt.Fprintln(&b, name, fi.Size(), fi.ModTime().UnixNano())
			}
		}
		c := digest.OfContent([]byte(b.String()))
		return c.String()[:16]
	}
}

// runFile is where an apply tells what it does, for a review that follows it.
const (
	cacheDir = own + "/cache"
	runLog   = "apply.jsonl"
	runFile  = cacheDir + "/" + runLog
)

// lastRun is what the last apply told, nil if there was none.
func (s *session) lastRun() *report.Run {
	b, ok := s.root.ReadCache(runLog)
	if !ok {
		return nil
	}
	return report.ReadRun(bytes.NewReader(b))
}

// picking carries out choices of a page.
func picking(env *Env, f *reviewFlags) func(context.Context, spec.Address, int) (string, error) {
	return func(ctx context.Context, a spec.Address, number int) (string, error) {
		var told bytes.Buffer
		quiet := *env
		quiet.Stdout, quiet.Stderr = &told, &told
		s, err := openSession(&quiet)
		if err != nil {
			return "", err
		}
		defer s.close()
		unlock, err := s.lockWorkspace(ctx, "review", 0)
		if err != nil {
			return "", err
		}
		defer unlock()
		out, err := s.pick(ctx, &pickFlags{projectFlags: f.projectFlags}, a, number)
		if err != nil {
			return "", toldError(&told, err)
		}
		if out.File == "" {
			return fmt.Sprintf("%d was picked already.", out.Pick), nil
		}
		return fmt.Sprintf("Picked %d, in %s. The next imgbuild apply puts it into place.", out.Pick, out.File), nil
	}
}

// album finds the pictures of a comparison: in the store, among the outputs, or
// in the commit that it is compared with.
type album struct {
	s    *session
	tree *revision.Tree
	here map[digest.Content]string // paths of outputs
	then map[digest.Content]string // of outputs of the base

	git   sync.Mutex    // one asks it at a time
	room  chan struct{} // for those who decode
	mu    sync.Mutex
	small map[string]smallPicture
	bytes int
}

type smallPicture struct {
	b         []byte
	mediaType string
}

func newAlbum(s *session, c *comparison) *album {
	a := &album{s: s, tree: c.tree, here: map[digest.Content]string{}, then: map[digest.Content]string{}, room: make(chan struct{}, runtime.GOMAXPROCS(0)), small: map[string]smallPicture{}}
	for i := range c.head.Lock.Entries {
		for _, o := range c.head.Lock.Entries[i].Outputs {
			a.here[o.Content] = o.Path
		}
	}
	if c.tree != nil {
		for i := range c.base.Lock.Entries {
			for _, o := range c.base.Lock.Entries[i].Outputs {
				a.then[o.Content] = o.Path
			}
		}
	}
	return a
}

// Has is that of report.Pictures. A file that has other bytes than the lock says
// is found out when it is read.
func (a *album) Has(c digest.Content) bool {
	if a.s.store.Has(c) {
		return true
	}
	if p, ok := a.here[c]; ok && a.s.out.Peek(p, func(io.ReaderAt, int64) {}) == nil {
		return true
	}
	if p, ok := a.then[c]; ok {
		_, err := a.tree.Stat(p)
		return err == nil
	}
	return false
}

// read is the bytes of a picture, nil if nothing here has them.
func (a *album) read(c digest.Content) []byte {
	limit := a.s.limits.Bytes
	right := func(b []byte, err error) bool { return err == nil && digest.OfContent(b) == c }
	if p, ok := a.here[c]; ok {
		if b, err := a.s.out.Read(p, limit); right(b, err) {
			return b
		}
	}
	// Not through both tiers at once: who looks copies nothing.
	for _, tier := range []*store.Dir{a.s.store.Local, a.s.store.Second} {
		if tier != nil {
			if b, err := tier.Get(c, limit); err == nil {
				return b
			}
		}
	}
	if p, ok := a.then[c]; ok {
		a.git.Lock()
		defer a.git.Unlock()
		if fi, err := a.tree.Stat(p); err == nil && fi.Size() <= limit {
			b, err := fs.ReadFile(a.tree, p)
			a.tree.Forget() // all of them would be a lot
			if right(b, err) {
				return b
			}
		}
	}
	return nil
}

// Full is that of report.Shown.
func (a *album) Full(c digest.Content) ([]byte, string) {
	b := a.read(c)
	if b == nil {
		return nil, ""
	}
	if format := imaging.Sniff(b); format != "" {
		return b, "image/" + format
	}
	if _, err := imaging.MeasureAVIF(b, a.s.limits); err == nil {
		return b, "image/avif"
	}
	return nil, ""
}

// keepSmall is the bytes of small pictures that are kept.
const keepSmall = 64 << 20

// Small is that of report.Pictures.
func (a *album) Small(c digest.Content, side int) ([]byte, string) {
	key := fmt.Sprint(side, c)
	a.mu.Lock()
	had, ok := a.small[key]
	a.mu.Unlock()
	if ok {
		return had.b, had.mediaType
	}
	a.room <- struct{}{}
	defer func() { <-a.room }()
	b, mediaType := small(a.read(c), side, a.s.limits)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bytes += len(b); a.bytes > keepSmall {
		clear(a.small)
		a.bytes = len(b)
	}
	a.small[key] = smallPicture{b, mediaType}
	return b, mediaType
}

// small is a picture that fits in a square, as a JPEG or, where it is
// transparent, as a PNG; nil for what is none.
func small(b []byte, side int, lim imaging.Limits) ([]byte, string) {
	if b == nil {
		return nil, ""
	}
	box := imaging.Box{Width: side, Height: side, Fit: "inside"}
	p, _, err := imaging.DecodeFor(b, lim, box)
	if err != nil {
		return nil, ""
	}
	p = imaging.Fit(p, side, side, "inside", false)
	format := "jpeg"
	if !p.Opaque() {
		format = "png"
	}
	var out bytes.Buffer
	if _, err := p.Encode(&out, format, 80, false); err != nil {
		return nil, ""
	}
	return out.Bytes(), "image/" + format
}

// Mask is that of report.Pictures.
func (a *album) Mask(address spec.Address) *report.MaskView {
	s := a.s
	im, e := s.project.Image(address), s.lock.Get(address)
	if im == nil || e == nil || im.Wanted.Mask == nil {
		return nil
	}
	picked := e.Picked(plan.Pick(im, e))
	src := im.Wanted.Sources[0]
	content, err := s.contentOf(src)
	if picked == nil || err != nil {
		return nil
	}
	a.room <- struct{}{}
	defer func() { <-a.room }()
	m := im.Wanted.Mask
	veil, outside, err := apply.MaskView(&apply.Engine{Out: s.out, Sources: s.root, Store: s.store, Lock: s.lock, Limits: s.limits}, m, s.files[m.File], src, content, picked.Content)
	if err != nil || veil == nil {
		return nil
	}
	veil = imaging.Fit(veil, 1280, 1280, "inside", false)
	var b bytes.Buffer
	if _, err := veil.Encode(&b, "png", 0, true); err != nil {
		return nil
	}
	restored := len(e.Outputs) > 0 && slices.ContainsFunc(strings.Fields(e.Outputs[0].Recipe), func(w string) bool { return strings.HasPrefix(w, "restore=") })
	return &report.MaskView{Veil: b.Bytes(), Outside: outside, PutBack: restored}
}

// approving carries out approvals of a page.
func approving(env *Env, f *reviewFlags) func(context.Context, report.Approving) (string, error) {
	return func(ctx context.Context, a report.Approving) (string, error) {
		var told bytes.Buffer
		quiet := *env
		quiet.Stdout, quiet.Stderr = &told, &told
		s, err := openSession(&quiet)
		if err != nil {
			return "", err
		}
		defer s.close()
		unlock, err := s.lockWorkspace(ctx, "review", 0)
		if err != nil {
			return "", err
		}
		defer unlock()
		if err := s.prepare(ctx, &f.projectFlags); err != nil {
			return "", toldError(&told, err)
		}
		o := planOptions{verify: true, looks: true}
		if err := s.readJournal(&o); err != nil {
			return "", err
		}
		p, err := s.planned(ctx, o)
		if err != nil {
			return "", toldError(&told, err)
		}
		if !a.Revoke {
			if err := s.unapprovable(p, a.Address); err != nil {
				return "", err
			}
		}
		if err := s.approve(approval{Address: a.Address, Seen: a.Content, By: f.by, Note: strings.TrimSpace(a.Note), Revoke: a.Revoke}); err != nil {
			return "", err
		}
		if a.Revoke {
			return "The approval is taken back.", nil
		}
		return "Approved, in " + lock.File + ".", nil
	}
}
