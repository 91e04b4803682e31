package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/emulator"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata/script")

// leakFree runs the tests, and then looks whether what they started has ended.
type leakFree struct{ *testing.M }

func (m leakFree) Run() int {
	code := m.M.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestMain(m *testing.M) {
	testscript.Main(leakFree{m}, map[string]func(){
		"imgbuild": func() {
			os.Exit(cli.Main(&cli.Env{
				Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
				Args: os.Args[1:], Getenv: os.Getenv, Dir: ".", Now: time.Now,
			}))
		},
	})
}

// TestScripts runs testdata/script. Its README lists the commands that scripts
// have beside those of testscript.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, scripts("testdata/script"))
}

func scripts(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":      code,
			"deaf":      deaf,
			"start":     start,
			"says":      says,
			"send":      send,
			"ended":     ended,
			"emulator":  emulate,
			"held":      held,
			"fetching":  fetching,
			"polling":   polling,
			"listens":   listens,
			"serves":    serves,
			"release":   release,
			"asked":     count(func(s emulator.Stats) int { return s.Requests }),
			"paid":      count(func(s emulator.Stats) int { return s.Images }),
			"fetched":   count(func(s emulator.Stats) int { return s.Fetches }),
			"stats":     stats,
			"picture":   picture,
			"alike":     alike,
			"mask":      mask,
			"sign":      sign,
			"outside":   outside,
			"stable":    stable,
			"jsonl":     jsonLines,
			"change":    change,
			"truncate":  truncate,
			"flipbit":   flipBit,
			"lockheld":  lockHeld,
			"lockfree":  lockFree,
			"tmpfs":     tmpfs,
			"readonly":  readOnly,
			"only":      only,
			"untouched": untouched,
			"catalogue": catalogue,
			"tools":     tools,
		},
	}
}

// house is what belongs to one script beside its files.
type house struct {
	emulator *emulator.Server
	gate     *gate
	unlock   func()
	running  *process
	seen     map[string]string // by file, for untouched
}

type houseKey struct{}

func of(ts *testscript.TestScript) *house { return ts.Value(houseKey{}).(*house) }

func setup(env *testscript.Env) error {
	// A wrong call must stop at home: no key, no proxy, nothing of the developer's.
	kept := env.Vars[:0]
	for _, v := range env.Vars {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "XAI_") || strings.HasPrefix(name, "IMGBUILD_") ||
			slices.Contains([]string{"NO_COLOR", "CLICOLOR_FORCE", "CI", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"}, name) {
			continue
		}
		kept = append(kept, v)
	}
	home := filepath.Join(env.WorkDir, ".home")
	env.Vars = append(kept, "HOME="+home, "TERM=xterm-256color")
	env.Values[houseKey{}] = &house{seen: map[string]string{}}
	return os.Mkdir(home, 0o777)
}

func condition(cond string) (bool, error) {
	switch cond {
	case "root":
		return os.Geteuid() == 0, nil
	case "mount":
		return mayMount(), nil
	}
	return false, fmt.Errorf("unknown condition %q", cond)
}

var mayMount = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("", "imgbuild-mount-*")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	if exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir).Run() != nil {
		return false
	}
	return exec.Command("umount", dir).Run() == nil
})

func refuse(ts *testscript.TestScript, neg bool, ok bool, usage string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", usage)
	}
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

// code N PROGRAM ARGS... runs a program that must end with exit code N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) > 1, "code N PROGRAM ARGS...")
	want := number(ts, args[0])
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			ts.Fatalf("%v", err)
		}
		got = ended.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// deaf N PROGRAM ARGS... does the same, and whoever read what the program writes
// is gone: each write is to a broken pipe.
func deaf(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) > 1, "deaf N PROGRAM ARGS...")
	r, w, err := os.Pipe()
	ts.Check(err)
	defer w.Close()
	r.Close()
	cmd := exec.Command("env", args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), environ(ts), w, w
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		ts.Fatalf("%v", err)
	}
	if got := cmd.ProcessState.ExitCode(); got != number(ts, args[0]) {
		ts.Fatalf("%v, want exit code %s", cmd.ProcessState, args[0])
	}
}

// process is a program in the background whose stderr can be waited for.
type process struct {
	cmd   *exec.Cmd
	lines chan string // of stderr; closed at its end
	first chan string // line of stdout
	err   bytes.Buffer
	out   bytes.Buffer // whole once lines is closed
}

// start PROGRAM ARGS... starts a program in the background.
func start(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) > 0 && of(ts).running == nil, "start PROGRAM ARGS..., one at a time")
	p := &process{lines: make(chan string, 1000), first: make(chan string, 1)}
	// Through env, which finds the program on the PATH of the script.
	p.cmd = exec.Command("env", args...)
	p.cmd.Dir, p.cmd.Env = ts.MkAbs("."), environ(ts)
	stdout, err := p.cmd.StdoutPipe()
	ts.Check(err)
	stderr, err := p.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(p.cmd.Start())
	var data sync.WaitGroup
	data.Go(func() {
		r := bufio.NewReader(stdout)
		line, _ := r.ReadString('\n')
		p.first <- line
		p.out.WriteString(line)
		p.out.ReadFrom(r)
	})
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			p.lines <- s.Text()
		}
		data.Wait()
	}()
	of(ts).running = p
	ts.Defer(func() {
		if of(ts).running == p {
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
	})
}

func environ(ts *testscript.TestScript) (list []string) {
	for _, name := range []string{"PATH", "HOME", "WORK", "TMPDIR", "EMULATOR", "IMGBUILD_VAR_emulator", "XAI_API_KEY"} {
		if v := ts.Getenv(name); v != "" {
			list = append(list, name+"="+v)
		}
	}
	return list
}

// patience is how long a script waits for what must come; it is no sleep.
const patience = 30 * time.Second

// says REGEXP waits until the program in the background has written such a line
// to stderr.
func says(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 1 && of(ts).running != nil, "says REGEXP")
	re, p := regexp.MustCompile(args[0]), of(ts).running
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				ts.Fatalf("it ended without saying %q:\n%s", args[0], &p.err)
			}
			fmt.Fprintln(&p.err, line)
			if re.MatchString(line) {
				return
			}
		case <-time.After(patience):
			ts.Fatalf("it never said %q:\n%s", args[0], &p.err)
		}
	}
}

// listens waits until imgbuild emulate in the background has said where it
// listens, and sets EMULATOR and the variable "emulator" as emulator does.
func listens(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 0 && of(ts).running != nil, "listens")
	select {
	case line := <-of(ts).running.first:
		url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
		if !ok {
			ts.Fatalf("its first line is %q", line)
		}
		setEmulator(ts, url)
	case <-time.After(patience):
		ts.Fatalf("it never said where it listens")
	}
}

// serves reads the address of a review, opens it as a browser does, and with
// PATH FIELD=VALUE... sends the form of that path.
func serves(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, of(ts).running != nil, "serves [PATH FIELD=VALUE...]")
	var address string
	select {
	case line := <-of(ts).running.first:
		address = strings.TrimSpace(line)
	case <-time.After(patience):
		ts.Fatalf("it never said where it serves")
	}
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	browser := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	page := func(r *http.Response, err error) string {
		ts.Check(err)
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		ts.Check(err)
		if r.StatusCode != http.StatusOK {
			ts.Fatalf("%s: %s: %s", r.Request.URL, r.Status, b)
		}
		return string(b)
	}
	sheet := page(browser.Get(address))
	if !strings.Contains(sheet, `<main id="sheet">`) {
		ts.Fatalf("that is no contact sheet: %s", sheet)
	}
	if len(args) == 0 {
		return
	}
	form := url.Values{}
	for _, a := range args[1:] {
		name, value, _ := strings.Cut(a, "=")
		form.Set(name, value)
	}
	at, err := url.Parse(address)
	ts.Check(err)
	origin := "http://" + at.Host
	image := page(browser.Get(origin + "/image?address=" + url.QueryEscape(form.Get("address"))))
	for _, name := range []string{"csrf", "content"} {
		if m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(image); m != nil {
			form.Set(name, m[1])
		}
	}
	q, err := http.NewRequest(http.MethodPost, origin+args[0], strings.NewReader(form.Encode()))
	ts.Check(err)
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Origin", origin)
	told := regexp.MustCompile(`<p id="told"[^>]*>([^<]*)`).FindStringSubmatch(page(browser.Do(q)))
	ts.Check(os.WriteFile(ts.MkAbs("told"), []byte(told[1]+"\n"), 0o666))
}

func setEmulator(ts *testscript.TestScript, url string) {
	ts.Setenv("EMULATOR", url)
	ts.Setenv("IMGBUILD_VAR_emulator", url+"/v1")
}

// heard is what was said on stderr so far.
func (p *process) heard() string {
	for p != nil {
		select {
		case line, ok := <-p.lines:
			if ok {
				fmt.Fprintln(&p.err, line)
				continue
			}
		default:
		}
		return p.err.String()
	}
	return "nothing runs"
}

// send SIGNAL sends INT, TERM, HUP or KILL to the program in the background.
func send(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 1 && of(ts).running != nil, "send INT|TERM|HUP|KILL")
	s, ok := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": os.Kill}[args[0]]
	if !ok {
		ts.Fatalf("no signal %s", args[0])
	}
	ts.Check(of(ts).running.cmd.Process.Signal(s))
}

// ended CODE waits for the end of the program in the background; CODE -1 is an
// end by a signal. stdout and stderr are then its own.
func ended(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 1 && of(ts).running != nil, "ended CODE")
	p := of(ts).running
	for alive := true; alive; {
		select {
		case line, ok := <-p.lines:
			if alive = ok; ok {
				fmt.Fprintln(&p.err, line)
			}
		case <-time.After(patience):
			ts.Fatalf("it does not end:\n%s", &p.err)
		}
	}
	of(ts).running = nil
	p.cmd.Wait()
	p.out.WriteTo(ts.Stdout())
	p.err.WriteTo(ts.Stderr())
	if got := p.cmd.ProcessState.ExitCode(); got != number(ts, args[0]) {
		ts.Fatalf("exit code %d, want %s\n%s", got, args[0], ts.ReadFile("stderr"))
	}
}

// gate holds replies that the emulator has made, and charged for, until they
// are let go.
type gate struct {
	next http.Handler
	mu   sync.Mutex
	open chan struct{} // closed when replies may go
	made chan struct{} // one for each reply that waits
	gets chan struct{} // one for each download that began
	asks chan struct{} // one for each poll of a job that came
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/images/") {
		g.gets <- struct{}{}
	}
	if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v1/images/") {
		g.asks <- struct{}{}
	}
	if r.Method != http.MethodPost || open == nil {
		g.next.ServeHTTP(w, r)
		return
	}
	reply := httptest.NewRecorder()
	g.next.ServeHTTP(reply, r)
	g.made <- struct{}{}
	<-open
	for k, v := range reply.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(reply.Code)
	w.Write(reply.Body.Bytes())
}

// emulator [-profile P] [-faults FILE] [-key KEY] [-hold] starts an emulator and
// sets EMULATOR to its base URL and the variable "emulator" to its endpoint.
func emulate(ts *testscript.TestScript, neg bool, args []string) {
	var cfg emulator.Config
	var faults string
	flags := flag.NewFlagSet("emulator", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&cfg.Profile, "profile", "documented", "")
	flags.StringVar(&cfg.Key, "key", "", "")
	flags.StringVar(&faults, "faults", "", "")
	hold := flags.Bool("hold", false, "")
	refuse(ts, neg, flags.Parse(args) == nil && flags.NArg() == 0, "emulator [-profile P] [-faults FILE] [-key KEY] [-hold]")
	if faults != "" {
		var err error
		cfg.Faults, err = emulator.ParseFaults([]byte(ts.ReadFile(faults)))
		ts.Check(err)
	}
	h := of(ts)
	h.emulator = emulator.New(cfg)
	h.gate = &gate{next: h.emulator, made: make(chan struct{}, 1000), gets: make(chan struct{}, 1000), asks: make(chan struct{}, 1000)}
	if *hold {
		h.gate.open = make(chan struct{})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	server := h.emulator.HTTP()
	server.Handler = h.gate
	go server.Serve(l)
	g := h.gate
	ts.Defer(func() { g.release(); server.Close() })
	setEmulator(ts, "http://"+l.Addr().String())
}

func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil {
		close(g.open)
		g.open = nil
	}
}

// held N waits until the emulator holds N further replies that it charged for.
func held(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 1, "held N")
	for range number(ts, args[0]) {
		select {
		case <-of(ts).gate.made:
		case <-time.After(patience):
			ts.Fatalf("the request never came:\n%s", of(ts).running.heard())
		}
	}
}

// fetching waits until a download has begun.
func fetching(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 0, "fetching")
	select {
	case <-of(ts).gate.gets:
	case <-time.After(patience):
		ts.Fatalf("the download never began:\n%s", of(ts).running.heard())
	}
}

// polling waits until a job is asked for.
func polling(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 0, "polling")
	select {
	case <-of(ts).gate.asks:
	case <-time.After(patience):
		ts.Fatalf("the job was never asked for:\n%s", of(ts).running.heard())
	}
}

// release lets go of all replies, those to come too.
func release(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 0, "release")
	of(ts).gate.release()
}

// asked N, paid N and fetched N: how many POSTs came, how many images were
// billed, how often one was downloaded.
func count(what func(emulator.Stats) int) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		refuse(ts, neg, len(args) == 1, "asked|paid|fetched N")
		if s := of(ts).emulator.Stats(); what(s) != number(ts, args[0]) {
			b, _ := json.MarshalIndent(s, "", "  ")
			ts.Fatalf("it is %d, want %s: %s", what(s), args[0], b)
		}
	}
}

// stats prints what was billed: path, prompt, images and ticks, a line each, in
// the order of the prompts.
func stats(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 0, "stats")
	var lines []string
	for _, c := range of(ts).emulator.Stats().Charges {
		lines = append(lines, fmt.Sprintf("%q %s %d for %d\n", c.Prompt, c.Path, c.Images, c.Ticks))
	}
	slices.Sort(lines)
	io.WriteString(ts.Stdout(), strings.Join(lines, ""))
}

func load(ts *testscript.TestScript, name string) (*imaging.Picture, imaging.Info) {
	p, info, err := imaging.Decode([]byte(ts.ReadFile(name)), imaging.DefaultLimits)
	if err != nil {
		ts.Fatalf("%s: %v", name, err)
	}
	return p, info
}

// picture [-pixels] FILE... describes pictures: format, size and, with -pixels,
// the digest of the pixels.
func picture(ts *testscript.TestScript, neg bool, args []string) {
	pixels := len(args) > 0 && args[0] == "-pixels"
	if pixels {
		args = args[1:]
	}
	refuse(ts, neg, len(args) > 0, "picture [-pixels] FILE...")
	for _, name := range args {
		p, info := load(ts, name)
		fmt.Fprintf(ts.Stdout(), "%s %s %dx%d", name, info.Format, info.Width, info.Height)
		if pixels {
			fmt.Fprintf(ts.Stdout(), " %s", imaging.Digest(p).Short())
		}
		fmt.Fprintln(ts.Stdout())
	}
}

// alike A B...: each B shows on white what A does, at whatever size and however
// much its encoder has lost of it.
func alike(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] alike A B...")
	}
	a, _ := load(ts, args[0])
	white := [3]byte{255, 255, 255}
	for _, name := range args[1:] {
		b, _ := load(ts, name)
		x, y := imaging.Fit(a, b.Width(), b.Height(), "fill", true).On(white).Pix(), b.On(white).Pix()
		sum := 0
		for i := range x {
			sum += max(int(x[i])-int(y[i]), int(y[i])-int(x[i]))
		}
		off := float64(sum) / float64(len(x)*3/4) // without alpha
		ts.Logf("%s is off by %.2f levels", name, off)
		if off <= 4 == neg {
			ts.Fatalf("%s is off by %.2f levels from %s", name, off, args[0])
		}
	}
}

// tools NAME|NAME=FILE... makes these programs, and imgbuild, all that is on the
// PATH: one of this machine, or the script in FILE.
func tools(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, true, "tools NAME|NAME=FILE...")
	dir := ts.MkAbs(".tools")
	ts.Check(os.RemoveAll(dir))
	ts.Check(os.Mkdir(dir, 0o777))
	for _, arg := range args {
		name, file, fake := strings.Cut(arg, "=")
		if fake {
			ts.Check(os.WriteFile(filepath.Join(dir, name), []byte(ts.ReadFile(file)), 0o777))
			continue
		}
		path, err := exec.LookPath(name)
		if err != nil {
			ts.Fatalf("there is no %s; scripts/setup installs it", name)
		}
		ts.Check(os.Symlink(path, filepath.Join(dir, name)))
	}
	own := filepath.SplitList(ts.Getenv("PATH"))[0] // where testscript has put imgbuild
	ts.Setenv("PATH", own+string(filepath.ListSeparator)+dir)
}

// mask [-lower|-all] FILE WIDTHxHEIGHT makes a mask whose upper (lower) half is
// transparent, or all of it.
func mask(ts *testscript.TestScript, neg bool, args []string) {
	lower, all := len(args) > 0 && args[0] == "-lower", len(args) > 0 && args[0] == "-all"
	if lower || all {
		args = args[1:]
	}
	refuse(ts, neg, len(args) == 2, "mask [-lower|-all] FILE WIDTHxHEIGHT")
	w, h, _ := strings.Cut(args[1], "x")
	p := imaging.New(number(ts, w), number(ts, h))
	for i := range p.Pix() {
		if !all && i < len(p.Pix())/2 == lower {
			p.Pix()[i] = 255
		}
	}
	var b bytes.Buffer
	_, err := p.Encode(&b, "png", 0, false)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o666))
}

// sign FILE puts the chunk of a C2PA manifest into a PNG.
func sign(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 1, "sign FILE")
	b := []byte(ts.ReadFile(args[0]))
	chunk := []byte("caBXjumb")
	c := binary.BigEndian.AppendUint32(nil, uint32(len(chunk)-4))
	c = binary.BigEndian.AppendUint32(append(c, chunk...), crc32.ChecksumIEEE(chunk))
	const header = 33 // with the signature
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), slices.Concat(b[:header], c, b[header:]), 0o666))
}

// outside A B: of two pictures the lower halves, which mask protects, are equal
// to the bit, and the upper ones are not.
func outside(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] outside A B")
	}
	a, _ := load(ts, args[0])
	b, _ := load(ts, args[1])
	x, y := a.Pix(), b.Pix()
	if len(x) != len(y) {
		ts.Fatalf("%s is %dx%d, %s is %dx%d", args[0], a.Width(), a.Height(), args[1], b.Width(), b.Height())
	}
	half := len(x) / 2
	kept, changed := bytes.Equal(x[half:], y[half:]), !bytes.Equal(x[:half], y[:half])
	if kept && changed == neg {
		ts.Fatalf("the lower halves are equal: %v; the upper ones differ: %v", kept, changed)
	}
	if !neg && !kept {
		ts.Fatalf("what the mask protects has changed")
	}
}

var unstable = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "<emulator>"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "<address>"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "<sha256>"},
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "<short>"},
	{regexp.MustCompile(`\b[0-9a-f]{40}\b`), "<commit>"},
	{regexp.MustCompile(`"bytes": ?\d+`), `"bytes": <n>`},
	{regexp.MustCompile(`"time":"[^"]*"`), `"time":"<time>"`},
	{regexp.MustCompile(`\d{8}T\d{6}-[0-9a-f]{8}`), "<process>"},
	{regexp.MustCompile(`"took_seconds":[0-9.e-]+`), `"took_seconds":<n>`},
	{regexp.MustCompile(`( in| after) \d+(\.\d+)? s\b`), ""},
	{regexp.MustCompile(`\bgo1\.\d+(\.\d+)?(rc\d+)?\b`), "<go>"},
	{regexp.MustCompile(`\b` + runtime.GOOS + `/` + runtime.GOARCH + `\b`), "<platform>"},
}

// stable FROM TO copies a text without what differs from run to run: times,
// digests of encoded files, ports.
func stable(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 2, "stable FROM TO")
	text := ts.ReadFile(args[0])
	for _, u := range unstable {
		text = u.what.ReplaceAllString(text, u.with)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o666))
}

// jsonl FROM TO checks that a text is JSON lines with a type, a time and a message each, and
// writes the types and addresses, sorted: images in flight end in any order.
func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 2, "jsonl FROM TO")
	var lines []string
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var l struct{ Type, Time, Message, Address string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			ts.Fatalf("%s: %v", line, err)
		}
		if _, err := time.Parse(time.RFC3339Nano, l.Time); err != nil || l.Type == "" || l.Message == "" {
			ts.Fatalf("a line lacks type, time or message: %s", line)
		}
		lines = append(lines, strings.TrimSpace(l.Type+" "+l.Address)+"\n")
	}
	slices.Sort(lines)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(lines, "")), 0o666))
}

// change FILE OLD NEW replaces a text that the file must have.
func change(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 3, "change FILE OLD NEW")
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o666))
}

// one is the file that a pattern means.
func one(ts *testscript.TestScript, pattern string) string {
	names, err := filepath.Glob(ts.MkAbs(pattern))
	ts.Check(err)
	if len(names) != 1 {
		ts.Fatalf("%s means %d files: %q", pattern, len(names), names)
	}
	return names[0]
}

// truncate FILE N cuts a file to N bytes; a negative N cuts so many off its
// end.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 2, "truncate FILE N")
	name, n := one(ts, args[0]), int64(number(ts, args[1]))
	if n < 0 {
		info, err := os.Stat(name)
		ts.Check(err)
		n += info.Size()
	}
	ts.Check(os.Truncate(name, n))
}

// flipbit FILE N flips a bit of byte N.
func flipBit(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 2, "flipbit FILE N")
	name, n := one(ts, args[0]), number(ts, args[1])
	b, err := os.ReadFile(name)
	ts.Check(err)
	b[n] ^= 1
	ts.Check(os.Chmod(name, 0o666)) // the store's files are read-only
	ts.Check(os.WriteFile(name, b, 0o666))
}

// lockheld holds the lock of the workspace, as another imgbuild would.
func lockHeld(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 0, "lockheld")
	root, err := workspace.Open(ts.MkAbs("."))
	ts.Check(err)
	unlock, err := root.Lock(context.Background(), 0, workspace.Who{PID: 1, Host: "elsewhere", Verb: "apply", Started: time.Unix(1700000000, 0)})
	ts.Check(err)
	of(ts).unlock = sync.OnceFunc(func() { unlock(); root.Close() })
	ts.Defer(of(ts).unlock)
}

// lockfree lets go of it.
func lockFree(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 0 && of(ts).unlock != nil, "lockfree")
	of(ts).unlock()
}

// tmpfs DIR SIZE mounts an empty disk of that size.
func tmpfs(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 2, "tmpfs DIR SIZE")
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o777))
	mount(ts, dir, "-t", "tmpfs", "-o", "size="+args[1], "tmpfs")
}

// readonly DIR makes a folder read-only by a mount, which root obeys too.
func readOnly(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 1, "readonly DIR")
	dir := ts.MkAbs(args[0])
	mount(ts, dir, "--bind", dir)
	if out, err := exec.Command("mount", "-o", "remount,bind,ro", dir).CombinedOutput(); err != nil {
		ts.Fatalf("mount: %v %s", err, out)
	}
}

func mount(ts *testscript.TestScript, dir string, args ...string) {
	if out, err := exec.Command("mount", append(args, dir)...).CombinedOutput(); err != nil {
		ts.Fatalf("mount: %v %s", err, out)
	}
	ts.Defer(func() { exec.Command("umount", "-l", dir).Run() })
}

// only DIR NAME... checks that a folder holds these files and no others, half-written
// ones for example; those that begin with a dot in the root of the script do not count.
func only(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) > 0, "only DIR NAME...")
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var names []string
	for _, e := range entries {
		if n := e.Name(); !slices.Contains([]string{".home", ".tmp", ".imgbuild", ".gitignore", ".gitattributes"}, n) {
			names = append(names, n)
		}
	}
	want := slices.Sorted(slices.Values(args[1:]))
	if !slices.Equal(names, want) {
		ts.Fatalf("%s holds %q, want %q", args[0], names, want)
	}
}

// untouched FILE... remembers files the first time, and checks afterwards that their
// bytes are the same.
func untouched(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) > 0, "untouched FILE...")
	for _, name := range args {
		now := ts.ReadFile(name)
		if before, ok := of(ts).seen[name]; ok && before != now {
			ts.Fatalf("%s has changed", name)
		}
		of(ts).seen[name] = now
	}
}

// TestLocks guards upgrades: what an earlier imgbuild recorded must never be
// bought, rendered or moved by a later one. The outputs are stood in for by
// files of the recorded size, which is all that a plan without an index looks at.
//
// One thing an upgrade does: format1 is of before labels, and what was encoded
// here gets one, free and from the very files. Without that a project would have
// labels on its new pictures only, and nobody would know on which.
func TestLocks(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob("testdata/locks/*")
	if err != nil || len(folders) == 0 {
		t.Fatal("no golden locks", err)
	}
	for _, from := range folders {
		t.Run(filepath.Base(from), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
			standIn(t, dir)
			var out, talk bytes.Buffer
			run := func(args ...string) int {
				out.Reset()
				talk.Reset()
				return cli.Main(&cli.Env{
					Stdin: strings.NewReader(""), Stdout: &out, Stderr: &talk, Args: args, Dir: dir,
					Getenv: func(string) string { return "" }, Now: time.Now,
				})
			}
			if filepath.Base(from) == "format1" {
				code := run("plan", "-detailed-exitcode")
				for line := range strings.Lines(out.String()) {
					if strings.HasPrefix(line, "  ") && line[2] != ' ' && !strings.HasPrefix(line, "  ± ") && !strings.Contains(line, " unchanged") || strings.HasPrefix(line, "  ± ") && !strings.Contains(line, ": label added ") {
						t.Errorf("more than labels: %s", line)
					}
				}
				if code != 2 || !strings.Contains(out.String(), "\nPlan: 6 free.\n") {
					t.Errorf("plan ends with %d:\n%s%s", code, &out, &talk)
				}
				return
			}
			if code := run("plan", "-detailed-exitcode"); code != 0 || !strings.HasPrefix(out.String(), "No changes.") {
				t.Errorf("plan ends with %d:\n%s%s", code, &out, &talk)
			}
			before, err := os.ReadFile(filepath.Join(dir, "imgbuild.lock.json"))
			if err != nil {
				t.Fatal(err)
			}
			if code := run("apply", "-auto-approve"); code != 0 {
				t.Errorf("apply ends with %d:\n%s%s", code, &out, &talk)
			}
			after, err := os.ReadFile(filepath.Join(dir, "imgbuild.lock.json"))
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("apply has rewritten the lock: %v", err)
			}
		})
	}
}

// standIn makes the outputs that a lock records, as far as their size goes.
func standIn(t *testing.T, dir string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "imgbuild.lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Images map[string]struct {
			Outputs map[string]struct{ Bytes int64 }
		}
	}
	if err := json.Unmarshal(b, &lock); err != nil {
		t.Fatal(err)
	}
	for _, image := range lock.Images {
		for name, o := range image.Outputs {
			name = filepath.Join(dir, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, nil, 0o666), os.Truncate(name, o.Bytes)); err != nil {
				t.Fatal(err)
			}
		}
	}
}
