package emulator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Profiles are the values of Config.Profile.
var Profiles = []string{"documented", "current"}

// Config says how the server behaves.
type Config struct {
	Profile string           // one of Profiles; "" is the first
	Key     string           // the key that clients must send; "" takes any and none
	Faults  []Fault          // what goes wrong
	Expire  time.Duration    // of image URLs; 0 for never
	Log     io.Writer        // a JSON line for each request; nil for none
	Now     func() time.Time // nil for a clock that stands still at the page's example
}

// Stats is what a provider would know afterwards.
type Stats struct {
	Requests int      `json:"requests"` // POSTs that arrived, whatever became of them
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
	pens   chan struct{} // pictures drawn at once

	mu     sync.Mutex
	stats  Stats
	rolls  map[[32]byte]int // how often an equal request came
	images map[string]*picturefile
	oldest []string // names in images
	bytes  int      // kept by images
	most   int      // that may be
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
		images: map[string]*picturefile{},
		most:   512 << 20,
	}
	s.mux.HandleFunc("POST /v1/images/generations", s.make)
	s.mux.HandleFunc("POST /v1/images/edits", s.make)
	s.mux.HandleFunc("GET /images/{name}", s.image)
	s.mux.HandleFunc("GET /v1/models", s.models)
	s.mux.HandleFunc("GET /v1/models/{id}", s.model)
	s.mux.HandleFunc("GET /v1/image-generation-models", s.models)
	s.mux.HandleFunc("GET /v1/image-generation-models/{id}", s.model)
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

// line is one line of the log. The key is never in it.
type line struct {
	Request int    `json:"request,omitempty"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	Status  int    `json:"status,omitempty"` // 0 if the connection was dropped
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
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // plain fields always encode
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Log.Write(append(b, '\n')) // a log that can't be written must not change the answers
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v) // fails only if the client has left
}

func flat(code, text string) any {
	return struct {
		Code  string `json:"code"`
		Error string `json:"error"`
	}{code, text}
}

// authorize answers a request without the right key as the service does: a
// missing one is 401, a wrong one is 400.
func (s *Server) authorize(r *http.Request) *wrong {
	got, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case s.cfg.Key == "" || got == s.cfg.Key:
		return nil
	case !bearer || got == "":
		return &wrong{401, "unauthenticated:no-credentials", "No credentials were sent. Obtain an API key from https://console.x.ai."}
	}
	return &wrong{400, invalid, "Incorrect API key provided: " + got[:min(2, len(got))] + "***. You can obtain an API key from https://console.x.ai."}
}

// make serves generations and edits.
func (s *Server) make(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.stats.Requests++
	l := &line{Request: s.stats.Requests, Method: r.Method, Path: r.URL.Path}
	s.mu.Unlock()
	defer s.log(l)
	w.Header().Set("X-Request-Id", fmt.Sprintf("emulated-%d", l.Request))

	if _, ok := s.script.early(r.URL.Path); ok {
		l.Fault = true
		drop(w, false)
	}
	wire, no := s.read(r)
	if no == nil {
		l.Prompt = wire.fields["prompt"]
	}
	do, faulty := s.script.late(r.URL.Path, l.Prompt)
	l.Fault = faulty
	if !wait(r.Context(), time.Duration(do.Delay)) {
		drop(w, false)
	}
	if no == nil {
		no = s.authorize(r)
	}
	var o *order
	if no == nil {
		o, no = s.understand(wire, strings.HasSuffix(r.URL.Path, "/edits"))
	}
	if no != nil && do.Status == 0 {
		l.Status, l.Error = no.status, no.text
		writeJSON(w, no.status, flat(no.code, no.text))
		return
	}
	if no != nil {
		o = &order{} // a scripted status stands for any answer; nothing is billed
	}
	l.Model, l.N = o.model.name, o.n
	charge := func(images int) int64 {
		l.Ticks = o.model.price(o, images)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stats.Images += images
		s.stats.Ticks += l.Ticks
		s.stats.Charges = append(s.stats.Charges, Charge{l.Request, r.URL.Path, o.prompt, images, l.Ticks})
		return l.Ticks
	}

	switch {
	case do.Silent:
		if do.billed(true) && no == nil {
			charge(o.n)
		}
		<-r.Context().Done()
		drop(w, false)
	case do.Status != 0:
		if do.billed(false) && no == nil {
			charge(o.n)
		}
		l.Status = do.Status
		do.answer(w)
		return
	case do.Drop == "after-request" || do.Drop == "reset":
		if do.billed(true) {
			charge(o.n)
		}
		drop(w, do.Drop == "reset")
	case do.Moderated == "400":
		l.Status = 400
		ticks := charge(o.n)
		writeJSON(w, 400, map[string]any{
			"code": invalid, "error": "Generated image rejected by content moderation.", "usage": usage{ticks},
		})
		return
	}
	n := o.n
	if do.N != nil {
		n = *do.N
	}
	ticks := charge(n)
	l.Status = 200
	body, err := s.reply(r, wire, o, n, ticks, do)
	if err != nil {
		l.Status, l.Error = 500, err.Error()
		writeJSON(w, 500, flat("internal-error", err.Error()))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	write(w, body, do)
}

// answer writes the status and body of a fault.
func (d *Do) answer(w http.ResponseWriter) {
	if d.RetryAfter != "" {
		w.Header().Set("Retry-After", d.RetryAfter)
	}
	if d.Body == nil {
		writeJSON(w, d.Status, flat(strconv.Itoa(d.Status), cmp.Or(http.StatusText(d.Status), "error")))
		return
	}
	var text string
	if json.Unmarshal(d.Body, &text) == nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	} else {
		text = string(d.Body)
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(d.Status)
	io.WriteString(w, text)
}

// image serves a picture.
func (s *Server) image(w http.ResponseWriter, r *http.Request) {
	l := &line{Method: r.Method, Path: r.URL.Path}
	defer s.log(l)
	s.mu.Lock()
	s.stats.Fetches++
	p := s.images[r.PathValue("name")]
	s.mu.Unlock()
	do, faulty := s.script.late(r.URL.Path, "")
	if _, early := s.script.early(r.URL.Path); early {
		do.Drop, faulty = "after-request", true
	}
	l.Fault = faulty
	if !wait(r.Context(), time.Duration(do.Delay)) {
		drop(w, false)
	}
	switch {
	case do.Silent:
		<-r.Context().Done()
		drop(w, false)
	case do.Status != 0:
		l.Status = do.Status
		do.answer(w)
		return
	case do.Drop == "after-request" || do.Drop == "reset":
		drop(w, do.Drop == "reset")
	case p == nil:
		l.Status = 404
		http.NotFound(w, r)
		return
	case do.Expired || p.fault.Expired || s.cfg.Expire > 0 && s.cfg.Now().Sub(p.made) > s.cfg.Expire:
		l.Status = 403
		http.Error(w, "<Error><Code>ExpiredToken</Code></Error>", http.StatusForbidden)
		return
	case do.HTML || p.fault.HTML:
		l.Status = 200
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>Sign in</title>")
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
	write(w, b, do)
}

// write sends a body, all of it unless the fault cuts it.
func write(w http.ResponseWriter, body []byte, do Do) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	cut := len(body)
	switch {
	case do.Drop == "mid-body":
		cut /= 2
	case do.Truncate > 0:
		cut = min(cut, do.Truncate)
	}
	w.Write(body[:cut])
	if cut < len(body) {
		http.NewResponseController(w).Flush()
		drop(w, false)
	}
}

// drop ends the connection and the handler without an answer.
func drop(w http.ResponseWriter, reset bool) {
	if reset {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				tcp.SetLinger(0)
			}
			conn.Close()
		}
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
