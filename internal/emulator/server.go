package emulator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/imgbuild/imgbuild/internal/xaipb"
)

// Profiles are the values of Config.Profile.
var Profiles = []string{"documented", "current", "openai"}

// Config says how the server behaves.
type Config struct {
	Profile string           // one of Profiles; "" is the first
	Key     string           // the key that clients must send; "" takes any and none
	Faults  []Fault          // what goes wrong
	Expire  time.Duration    // of image URLs; 0 for never
	Log     io.Writer        // a JSON line for each request; nil for none
	Album   *Album           // where pictures are that were drawn before; nil for none
	Now     func() time.Time // nil for a clock that stands still at the page's example
}

// Album keeps each picture that the servers which share it drew, for those who
// ask for the same a thousand times.
type Album struct {
	Flat bool // pictures are of one colour each, for those who look at none
	made sync.Map
}

// Stats is what a provider would know afterwards.
type Stats struct {
	Requests int      `json:"requests"` // POSTs that arrived, whatever became of them
	Polls    int      `json:"polls"`    // GETs of deferred results
	Fetches  int      `json:"fetches"`  // GETs of images
	Images   int      `json:"images"`   // billed
	Ticks    int64    `json:"ticks"`    // billed, in 1e-10 USD
	Charges  []Charge `json:"charges"`
}

// Charge is one billed request.
type Charge struct {
	Request int    `json:"request"` // counted from 1 over the POSTs
	Path    string `json:"path"`
	Prompt  string `json:"prompt"`
	Images  int    `json:"images"`
	Ticks   int64  `json:"ticks"`
}

// Server is the emulator. It serves HTTP and is safe for concurrent use.
type Server struct {
	cfg    Config
	script script
	mux    *http.ServeMux
	rpc    http.Handler  // decodes and encodes the messages of gRPC
	pens   chan struct{} // pictures drawn at once

	mu     sync.Mutex
	stats  Stats
	rolls  map[[32]byte]int // how often an equal request came
	images *shelf[*picturefile]
	jobs   *shelf[*job]
}

// New makes a server. A profile that does not exist is a bug of the caller.
func New(cfg Config) *Server {
	cfg.Profile = cmp.Or(cfg.Profile, Profiles[0])
	if !slices.Contains(Profiles, cfg.Profile) {
		panic("emulator: no profile " + cfg.Profile)
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return time.Unix(1699000000, 0) }
	}
	s := &Server{
		cfg:    cfg,
		script: script{faults: cfg.Faults, matched: make([]int, len(cfg.Faults)), used: make([]int, len(cfg.Faults))},
		mux:    http.NewServeMux(),
		pens:   make(chan struct{}, runtime.GOMAXPROCS(0)),
		rolls:  map[[32]byte]int{},
		images: newShelf[*picturefile](512 << 20),
		jobs:   newShelf[*job](64 << 20),
	}
	s.mux.HandleFunc("POST /v1/images/generations", s.make)
	s.mux.HandleFunc("POST /v1/images/edits", s.make)
	if cfg.Profile == "openai" {
		s.mux.HandleFunc("GET /v1/models", s.quiet(s.openaiModels))
		s.mux.HandleFunc("GET /v1/models/{id}", s.quiet(s.openaiModel))
	} else {
		s.rpc = connect.NewUnaryHandler(xaipb.GenerateImage, s.generate, connect.WithReadMaxBytes(maxMessage), connect.WithCompressMinBytes(math.MaxInt))
		s.mux.HandleFunc("POST "+xaipb.GenerateImage, s.call)
		s.mux.HandleFunc("GET /v1/images/{id}", s.poll)
		s.mux.HandleFunc("GET /images/{name}", s.image)
		s.mux.HandleFunc("GET /v1/models", s.quiet(s.models))
		s.mux.HandleFunc("GET /v1/models/{id}", s.quiet(s.model))
		s.mux.HandleFunc("GET /v1/image-generation-models", s.quiet(s.models))
		s.mux.HandleFunc("GET /v1/image-generation-models/{id}", s.quiet(s.model))
		s.mux.HandleFunc("GET /v1/api-key", s.quiet(s.apiKey))
		s.mux.HandleFunc("GET /v1/me", s.quiet(s.me))
	}
	s.mux.HandleFunc("GET /_emulator/stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, s.Stats()) })
	return s
}

// Stats is a copy of what was counted so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.Charges = append([]Charge{}, out.Charges...)
	return out
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

type connKey struct{} // in the context of a request: its connection

// HTTP is a server with s behind it: REST and gRPC on one port, that is,
// HTTP/1.1 and HTTP/2 without TLS. Under another http.Server the fault "reset"
// is no more than a drop.
func (s *Server) HTTP() *http.Server {
	var both http.Protocols
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: s, Protocols: &both, ReadHeaderTimeout: 30 * time.Second,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
}

// line is one line of the log. The key is never in it.
type line struct {
	Request int    `json:"request,omitempty"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	Status  int    `json:"status,omitempty"` // of HTTP; 0 if the connection was dropped, and over gRPC
	Code    string `json:"code,omitempty"`   // of gRPC
	Model   string `json:"model,omitempty"`
	Prompt  string `json:"prompt,omitempty"`
	N       int    `json:"n,omitempty"`
	Ticks   int64  `json:"ticks,omitempty"`
	Error   string `json:"error,omitempty"`
	Fault   bool   `json:"fault,omitempty"`
}

func (s *Server) log(l *line) {
	if s.cfg.Log == nil {
		return
	}
	b := jsonOf(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Log.Write(b) // a log that can't be written must not change the answers
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(jsonOf(v))
}

func jsonOf(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // plain fields always encode
	}
	return b.Bytes()
}

// authorize answers a request without the right key as the service does: a
// missing one is 401, a wrong one is 400 (at OpenAI 401).
func (s *Server) authorize(r *http.Request) *wrong {
	got, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case s.cfg.Key == "" || got == s.cfg.Key:
		return nil
	case !bearer || got == "":
		return &wrong{status: 401, code: "unauthenticated:no-credentials", text: "No credentials were sent. Obtain an API key from https://console.x.ai."}
	}
	no := badf("Incorrect API key provided: %s***. You can obtain an API key from https://console.x.ai.", got[:min(2, len(got))])
	if s.cfg.Profile == "openai" {
		no.status = 401
	}
	return no
}

// call is one request for images on its way, over either transport.
type call struct {
	line
	w  http.ResponseWriter
	r  *http.Request
	do Do
	o  *order
}

// arrive counts a request. Its log line is the caller's to write.
func (s *Server) arrive(w http.ResponseWriter, r *http.Request) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Requests++
	w.Header().Set("X-Request-Id", fmt.Sprintf("emulated-%d", s.stats.Requests))
	return &call{line: line{Request: s.stats.Requests, Method: r.Method, Path: r.URL.Path}, w: w, r: r}
}

// early drops a request whose body shall not be read.
func (s *Server) early(c *call) {
	if _, ok := s.script.early(c.Method, c.Path); ok {
		c.Fault = true
		drop(c.r, false)
	}
}

// settle decides what becomes of a request that was read (or why not): images
// that are billed, or a refusal. It does not return if no answer is to come.
func (s *Server) settle(ctx context.Context, c *call, w *wire, no *wrong) (*made, *wrong) {
	if no == nil {
		c.Prompt = w.fields["prompt"]
	}
	do, faulty := s.script.late(c.Method, c.Path, c.Prompt)
	c.do, c.Fault = do, faulty
	if !wait(ctx, time.Duration(do.Delay)) {
		drop(c.r, false)
	}
	if no == nil {
		no = s.authorize(c.r)
	}
	var o *order
	if no == nil {
		o, no = s.understand(w)
	}
	if no != nil && do.Status == 0 {
		return nil, no
	}
	if no != nil {
		o = &order{} // a scripted status stands for any answer; nothing is billed
	}
	c.o, c.Model, c.N = o, o.model.name, o.n
	charge := func(images int) {
		c.Ticks = o.price(images) * max(1, do.Cost)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stats.Images += images
		s.stats.Ticks += c.Ticks
		s.stats.Charges = append(s.stats.Charges, Charge{c.Request, c.Path, o.prompt, images, c.Ticks})
	}

	switch {
	case do.Silent:
		if do.billed(true) && no == nil {
			charge(o.n)
		}
		<-ctx.Done()
		drop(c.r, false)
	case do.Status != 0:
		if do.billed(false) && no == nil {
			charge(o.n)
		}
		return nil, &wrong{status: do.Status, text: do.text(), scripted: true}
	case do.Drop == "after-request" || do.Drop == "reset":
		if do.billed(true) {
			charge(o.n)
		}
		drop(c.r, do.Drop == "reset")
	case do.Moderated == "400" && !o.deferred:
		if do.billed(true) {
			charge(o.n)
		}
		return nil, &wrong{status: 400, code: invalid, text: moderated, ticks: c.Ticks}
	}
	n := o.n
	if do.N != nil {
		n = *do.N
	}
	if do.billed(!o.deferred || !slices.Contains(failures, do.Job)) {
		charge(n)
	}
	m, err := s.carryOut(c, w, o, n)
	if err != nil {
		return nil, &wrong{status: 500, code: "internal-error", text: err.Error()}
	}
	return m, nil
}

// make serves generations and edits over REST.
func (s *Server) make(w http.ResponseWriter, r *http.Request) {
	c := s.arrive(w, r)
	defer s.log(&c.line)
	s.early(c)
	wire, no := s.read(r)
	m, no := s.settle(r.Context(), c, wire, no)
	if no != nil {
		c.Status = no.status
		if no.scripted {
			s.scripted(w, &c.do)
			return
		}
		c.Error = no.text
		s.refuse(w, no)
		return
	}
	c.Status = 200
	var body []byte
	switch {
	case m.id != "":
		body = s.accept(c, m)
	case s.cfg.Profile == "openai":
		body = jsonOf(m.openai(c.o))
	default:
		body = jsonOf(m.rest(r))
	}
	w.Header().Set("Content-Type", "application/json")
	write(w, r, body, c.do)
}

// refuse writes a refusal.
func (s *Server) refuse(w http.ResponseWriter, no *wrong) {
	if s.cfg.Profile == "openai" {
		writeJSON(w, no.status, no.nested())
		return
	}
	writeJSON(w, no.status, struct {
		Code  string `json:"code"`
		Error string `json:"error"`
		Usage *usage `json:"usage,omitempty"`
	}{no.code, no.text, billed(no.ticks)})
}

// scripted writes the status and body of a fault.
func (s *Server) scripted(w http.ResponseWriter, d *Do) {
	if d.RetryAfter != "" {
		w.Header().Set("Retry-After", d.RetryAfter)
	}
	if d.Redirect != "" {
		w.Header().Set("Location", d.Redirect)
	}
	var text string
	switch {
	case d.Body == nil && d.HTML:
		w.Header().Set("Content-Type", "text/html")
		text = page
	case d.Body == nil:
		s.refuse(w, &wrong{status: d.Status, code: strconv.Itoa(d.Status), text: d.text()})
		return
	case json.Unmarshal(d.Body, &text) == nil:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	default:
		text = string(d.Body)
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(d.Status)
	io.WriteString(w, text)
}

// page is what a proxy serves in the place of something else.
const page = "<!doctype html><title>Sign in</title>"

// text is what a fault says in words, for a transport that has no bodies.
func (d *Do) text() string {
	var text string
	var flat struct{ Error string }
	var nested struct{ Error struct{ Message string } }
	switch {
	case d.Body == nil:
		return cmp.Or(http.StatusText(d.Status), "error")
	case json.Unmarshal(d.Body, &text) == nil:
		return text
	case json.Unmarshal(d.Body, &flat) == nil && flat.Error != "":
		return flat.Error
	case json.Unmarshal(d.Body, &nested) == nil && nested.Error.Message != "":
		return nested.Error.Message
	}
	return string(d.Body)
}

// meet lets a GET meet its fault. The rest of the fault, which is about the
// answer, is left to the caller, unless the fault was the answer.
func (s *Server) meet(w http.ResponseWriter, r *http.Request, l *line, prompt string) (do Do, answered bool) {
	do, l.Fault = s.script.late(r.Method, r.URL.Path, prompt) // first, so that nth counts this one in every entry
	if _, early := s.script.early(r.Method, r.URL.Path); early {
		l.Fault = true
		drop(r, false)
	}
	if !wait(r.Context(), time.Duration(do.Delay)) {
		drop(r, false)
	}
	switch {
	case do.Silent:
		<-r.Context().Done()
		drop(r, false)
	case do.Status != 0:
		l.Status = do.Status
		s.scripted(w, &do)
		return do, true
	case do.Drop == "after-request" || do.Drop == "reset":
		drop(r, do.Drop == "reset")
	case do.Redirect != "":
		l.Status = http.StatusFound
		http.Redirect(w, r, do.Redirect, l.Status)
		return do, true
	}
	return do, false
}

// quiet serves what tells about the server itself: with a key, and with faults
// if their path names it.
func (s *Server) quiet(serve func(w http.ResponseWriter, r *http.Request) *wrong) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		l := &line{Method: r.Method, Path: r.URL.Path}
		defer s.log(l)
		if _, answered := s.meet(w, r, l, ""); answered {
			return
		}
		l.Status = 200
		no := s.authorize(r)
		if no == nil {
			no = serve(w, r)
		}
		if no != nil {
			l.Status, l.Error = no.status, no.text
			s.refuse(w, no)
		}
	}
}

// image serves a picture.
func (s *Server) image(w http.ResponseWriter, r *http.Request) {
	l := &line{Method: r.Method, Path: r.URL.Path}
	defer s.log(l)
	s.mu.Lock()
	s.stats.Fetches++
	p, known := s.images.get(r.PathValue("name"))
	s.mu.Unlock()
	prompt := ""
	if known {
		prompt = p.prompt
	}
	do, answered := s.meet(w, r, l, prompt)
	switch {
	case answered:
		return
	case !known:
		l.Status = 404
		http.NotFound(w, r)
		return
	case do.Expired || p.fault.Expired || s.cfg.Expire > 0 && s.cfg.Now().Sub(p.made) > s.cfg.Expire:
		l.Status = 403
		http.Error(w, "<Error><Code>ExpiredToken</Code></Error>", http.StatusForbidden)
		return
	case p.fault.Redirect != "":
		l.Status = http.StatusFound
		http.Redirect(w, r, p.fault.Redirect, l.Status)
		return
	case do.HTML || p.fault.HTML:
		l.Status = 200
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, page)
		return
	}
	b, err := p.draw()
	if err != nil {
		l.Status, l.Error = 500, err.Error()
		http.Error(w, err.Error(), 500)
		return
	}
	if do.Corrupt {
		b = slices.Concat(b[:len(b)/2], bytes.Repeat([]byte{0x55}, len(b)-len(b)/2))
	}
	l.Status = 200
	w.Header().Set("Content-Type", p.mime)
	write(w, r, b, do)
}

// write sends a body with its length.
func write(w http.ResponseWriter, r *http.Request, body []byte, do Do) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	send(w, r, body, do)
}

// send sends a body at the pace of the fault, and all of it unless that cuts it.
func send(w http.ResponseWriter, r *http.Request, body []byte, do Do) {
	cut := len(body)
	switch {
	case do.Drop == "mid-body":
		cut /= 2
	case do.Truncate > 0:
		cut = min(cut, do.Truncate)
	}
	out := http.NewResponseController(w)
	if do.Drip > 0 {
		piece := max(1, (cut+drips-1)/drips)
		for from := 0; from < cut; from += piece {
			if !wait(r.Context(), time.Duration(do.Drip)) {
				drop(r, false)
			}
			w.Write(body[from:min(from+piece, cut)])
			out.Flush()
		}
	} else {
		w.Write(body[:cut])
	}
	if cut < len(body) {
		out.Flush()
		drop(r, false)
	}
}

// drips is the pieces that a dripping answer comes in: so many that its pace
// can be seen in a short one, and that the time it takes is easily reckoned.
const drips = 32

// drop ends the handler without an answer, and with it the connection (or, in
// HTTP/2, the stream). A reset ends the connection in either case.
func drop(r *http.Request, reset bool) {
	if conn, ok := r.Context().Value(connKey{}).(*net.TCPConn); ok && reset {
		conn.SetLinger(0)
		conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// wait reports false if the client left before d had passed.
func wait(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
