package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/imgbuild/imgbuild/internal/emulator"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/xai"
)

// wire is the rows of what a request costs our client and our emulator
// together, in one process over loopback, against a bare net/http client and
// handler that exchange the same bytes. Both sides open a connection for each
// paid request, since that is what keeps it from being sent twice. The reply
// is a URL, behind which nothing is drawn until somebody asks: what is
// measured is the wire.
func wire(l *lab) []row {
	against := func(name, what string, must, aim float64) row {
		ours := &probe{name: "ask-" + what, dir: l.dir, argv: []string{l.self, "-ask", what}, says: "a request", cost: counted}
		peer := &probe{name: "bare-" + what, dir: l.dir, argv: []string{l.self, "-bare", what}, says: "a request", cost: counted}
		return row{name: name, probes: []*probe{ours, peer}, must: must, aim: aim, unit: times, read: func(l *lab) (figures, error) {
			a, b := l.samples[ours.name].cost, l.samples[peer.name].cost
			return figures{perSecond(median(a)), perSecond(median(b)) + " bare net/http", ratio(a, b)}, nil
		}}
	}
	return []row{
		against("a request, client and emulator, REST", "rest-2000", 3, 2),
		against("a request, client and emulator, gRPC", "grpc-2000", 2.5, 1.5),
		// Few, because each waits for its poll.
		against("a request, client and emulator, deferred", "deferred-200", 2.5, 1.5),
	}
}

// firstPoll is what our client waits before it asks for a job. Its peer waits
// too: a machine that sleeps in between takes more of its CPU for the same.
const firstPoll = 100 * time.Millisecond

// perSecond prints the cost of a request, and how many of them fit into a
// second of CPU time.
func perSecond(d time.Duration) string {
	return fmt.Sprintf("%s, %.0f/s", cpu(d), float64(time.Second)/float64(d))
}

// errand takes the argument of a child apart: "grpc-100" is 100 over gRPC.
func errand(arg string) (transport string, n int, err error) {
	transport, count, _ := strings.Cut(arg, "-")
	n, err = strconv.Atoi(count)
	return transport, n, err
}

// ask makes requests with our client to our emulator and tells what one costs
// both of them.
func ask(w io.Writer, arg string) error {
	transport, n, err := errand(arg)
	if err != nil {
		return err
	}
	server := emulator.New(emulator.Config{Profile: "current"})
	stage, err := raise(server.HTTP())
	if err != nil {
		return err
	}
	defer stage.Close()
	maker, err := asker(transport, stage.url)
	if err != nil {
		return err
	}
	spent, err := timed(n, func(int) error { return askOnce(maker) })
	if err != nil {
		return err
	}
	if got := server.Stats(); got.Requests != n || got.Images != n || got.Fetches != 0 {
		return fmt.Errorf("the emulator saw %d requests and made %d images, not %d; it was asked for %d", got.Requests, got.Images, n, got.Fetches)
	}
	if conns := stage.conns.Load(); conns < int64(n) {
		return fmt.Errorf("%d connections for %d paid requests", conns, n)
	}
	fmt.Fprintf(w, "%d ns a request\n", int64(spent)/int64(n))
	return nil
}

// bareNet does the same exchanges with net/http alone. It learns them from one
// request of our client to our emulator.
func bareNet(w io.Writer, arg string) error {
	transport, n, err := errand(arg)
	if err != nil {
		return err
	}
	exchanges, err := overhear(transport)
	if err != nil {
		return err
	}
	stage, err := raise(&http.Server{Protocols: protocols(transport), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for _, x := range exchanges {
			if x.method == r.Method && x.path == r.URL.Path {
				for k, v := range x.replyHeader {
					w.Header()[k] = v
				}
				w.WriteHeader(x.status)
				w.Write(x.reply)
			}
		}
	})})
	if err != nil {
		return err
	}
	defer stage.Close()
	polls := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: parallel} // free, so they may share connections
	defer polls.CloseIdleConnections()
	var posts [parallel]*http.Transport // each for one request at a time: over HTTP/2 they would share a connection
	for i := range posts {
		posts[i] = &http.Transport{DisableCompression: true, DisableKeepAlives: true, Protocols: protocols(transport)}
	}
	spent, err := timed(n, func(worker int) error {
		for _, x := range exchanges {
			use := posts[worker]
			if x.method == http.MethodGet {
				use = polls
				time.Sleep(firstPoll)
			}
			if err := x.repeat(use, stage.url); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if conns := stage.conns.Load(); conns < int64(n) {
		return fmt.Errorf("%d connections for %d requests", conns, n)
	}
	fmt.Fprintf(w, "%d ns a request\n", int64(spent)/int64(n))
	return nil
}

// timed does n things, as many at once as apply does, and returns the CPU time.
func timed(n int, do func(worker int) error) (time.Duration, error) {
	var left atomic.Int64
	left.Store(int64(n))
	var workers sync.WaitGroup
	var failed [parallel]error
	before := selfCPU()
	for i := range parallel {
		workers.Go(func() {
			for failed[i] == nil && left.Add(-1) >= 0 {
				failed[i] = do(i)
			}
		})
	}
	workers.Wait()
	spent := selfCPU() - before
	err := errors.Join(failed[:]...)
	if err == nil && spent <= 0 {
		err = errNoCPU
	}
	return spent, err
}

// stage is a server on loopback.
type stage struct {
	*http.Server
	url   string
	conns atomic.Int64 // that were opened
}

func raise(s *http.Server) (*stage, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	st := &stage{Server: s, url: "http://" + l.Addr().String()}
	s.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			st.conns.Add(1)
		}
	}
	go s.Serve(l)
	return st, nil
}

func protocols(transport string) *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(transport != "grpc")
	p.SetUnencryptedHTTP2(transport == "grpc")
	return &p
}

// asker is our client, for a server on loopback.
func asker(transport, url string) (provider.Maker, error) {
	cfg := provider.Config{Type: "xai", Endpoint: url + "/v1", Wire: "current", Transport: transport, Response: "url", Parallelism: parallel}
	if transport == "deferred" {
		cfg.Transport, cfg.Deferred = "rest", true
	}
	return xai.New(cfg, xai.Options{Key: xai.NewKey("bench-0123456789abcdef0123456789abcdef"), Now: time.Now})
}

// askOnce makes one request.
func askOnce(m provider.Maker) error {
	s := &nowhere{}
	r := &provider.Request{Provider: "xai", Model: "grok-imagine-image", Prompt: image(0, "").Prompt, N: 1, AspectRatio: "1:1", Resolution: "1k"}
	if _, err := m.Make(context.Background(), r, s); err != nil {
		return err
	}
	if s.sent != 1 || len(s.urls) != 1 || !strings.HasPrefix(s.urls[0], "http://127.0.0.1") {
		return fmt.Errorf("sent %d times, delivered %q", s.sent, s.urls)
	}
	return nil
}

// nowhere is a sink that costs nothing.
type nowhere struct {
	sent int
	urls []string
}

func (s *nowhere) Sent() error               { s.sent++; return nil }
func (s *nowhere) Accepted(string) error     { return nil }
func (s *nowhere) Room(int64) (leave func()) { return func() {} }
func (s *nowhere) Delivered(_ int, from provider.Delivery, _ provider.Money) error {
	s.urls = append(s.urls, from.URL)
	return nil
}
func (s *nowhere) Spool(int) (io.WriteCloser, error) {
	return nil, errors.New("a URL was asked, bytes came")
}
func (s *nowhere) Answered() error               { return nil }
func (s *nowhere) Stopping() <-chan struct{}     { return nil }
func (s *nowhere) Waiting(time.Duration, string) {}

// exchange is a request and its reply, as they went over the wire.
type exchange struct {
	method, path        string
	header, replyHeader http.Header
	body, reply         []byte
	status              int
}

// overhear lets our client ask our emulator once and returns what they said.
func overhear(transport string) ([]exchange, error) {
	server := emulator.New(emulator.Config{Profile: "current"}).HTTP()
	heard := make(chan exchange, 10)
	answer := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchange{method: r.Method, path: r.URL.Path, header: r.Header.Clone(), status: http.StatusOK}
		x.body, _ = io.ReadAll(r.Body) // what is cut off, the emulator refuses
		r.Body = io.NopCloser(bytes.NewReader(x.body))
		answer.ServeHTTP(&ear{w, &x}, r)
		x.replyHeader = w.Header().Clone()
		heard <- x
	})
	stage, err := raise(server)
	if err != nil {
		return nil, err
	}
	defer stage.Close()
	maker, err := asker(transport, stage.url)
	if err == nil {
		err = askOnce(maker)
	}
	if err != nil {
		return nil, err
	}
	said := []exchange{<-heard} // the client may have its answer before the handler has ended
	if transport == "deferred" {
		said = append(said, <-heard)
	}
	return said, nil
}

// ear is a ResponseWriter that remembers.
type ear struct {
	http.ResponseWriter
	x *exchange
}

func (e *ear) WriteHeader(status int) {
	e.x.status = status
	e.ResponseWriter.WriteHeader(status)
}

func (e *ear) Write(b []byte) (int, error) {
	e.x.reply = append(e.x.reply, b...)
	return e.ResponseWriter.Write(b)
}

// repeat has the exchange with another server.
func (x *exchange) repeat(t *http.Transport, url string) error {
	req, err := http.NewRequest(x.method, url+x.path, bytes.NewReader(x.body))
	if err != nil {
		return err
	}
	req.Header = x.header.Clone()
	resp, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != x.status || !bytes.Equal(b, x.reply)) {
		err = fmt.Errorf("%s %s: %d with %d bytes, not %d with %d", x.method, x.path, resp.StatusCode, len(b), x.status, len(x.reply))
	}
	return err
}
