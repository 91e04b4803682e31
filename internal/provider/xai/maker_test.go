package xai

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

const canary = "xai-CANARY-0123456789"

var clock = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// aPNG is a small picture.
var aPNG = func() []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 4, 3))); err != nil {
		panic(err)
	}
	return b.Bytes()
}()

// fixture is a recorded reply; see testdata/wire.
type fixture struct {
	Status int
	Header map[string]string
	Body   json.RawMessage
	Text   string
}

func readFixture(t *testing.T, name string) fixture {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "wire", "replies", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(name, err)
	}
	return f
}

func (f fixture) serve(w http.ResponseWriter, _ *http.Request) {
	for k, v := range f.Header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(f.Status)
	body := f.Text
	if f.Body != nil {
		body = string(f.Body)
	}
	io.WriteString(w, strings.ReplaceAll(body, "{{picture}}", base64.StdEncoding.EncodeToString(aPNG)))
}

// serve starts a server and a maker that uses it.
func serve(t *testing.T, cfg provider.Config, h http.HandlerFunc) (*maker, *httptest.Server) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A long answer to a request that was not read ends in a reset now and then.
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		h(w, r)
	}))
	t.Cleanup(s.Close)
	cfg.Type, cfg.Endpoint = "xai", s.URL+"/v1"
	return mustMake(t, cfg), s
}

func mustMake(t *testing.T, cfg provider.Config) *maker {
	t.Helper()
	m, err := newMaker(cfg, Options{Key: NewKey(canary), Now: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func generate(n int) *provider.Request {
	return &provider.Request{Provider: "xai", Model: "grok-imagine-image", Prompt: "A cat in a tree", AspectRatio: "4:3", Resolution: "1k", N: n}
}

// asError is err as what a maker must return.
func asError(t *testing.T, err error) *provider.Error {
	t.Helper()
	var e *provider.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is not a *provider.Error", err, err)
	}
	if strings.Contains(fmt.Sprintf("%+v %#v", e, e), canary) {
		t.Errorf("the key is in the error: %+v", e)
	}
	return e
}

// TestReplies holds the client to every recorded reply.
func TestReplies(t *testing.T) {
	t.Parallel()
	const usual = 2 * cent
	tests := map[string]struct {
		kind   provider.Kind // 0 for success
		code   string
		price  provider.Money
		priced bool
		after  time.Duration
		images int
	}{
		"ok_page":               {images: 1, price: usual},
		"ok_current":            {images: 3, price: 10 * cent, priced: true},
		"ok_b64":                {images: 1, price: usual, priced: true},
		"ok_b64_data_url":       {images: 1, price: usual, priced: true},
		"moderated_some":        {images: 2, price: 400000001, priced: true},
		"moderated_400":         {kind: provider.Moderated, code: "Client specified an invalid argument", price: usual, priced: true},
		"moderated_flag":        {kind: provider.Moderated, price: usual, priced: true},
		"moderated_placeholder": {kind: provider.Moderated, price: usual, priced: true},
		"moderated_empty":       {kind: provider.Moderated, price: usual, priced: true},
		"moderated_openai":      {kind: provider.Moderated, code: "moderation_blocked"},
		"moderated_page":        {kind: provider.Moderated, code: "content_policy_violation"},
		"rejected_size":         {kind: provider.Rejected, code: "400"},
		"rejected_kebab":        {kind: provider.Rejected, code: "invalid-argument"},
		"rejected_nested":       {kind: provider.Rejected, code: "missing"},
		"rejected_bare":         {kind: provider.Rejected},
		"rejected_text":         {kind: provider.Rejected},
		"rejected_number":       {kind: provider.Rejected, code: "400"},
		"key_wrong":             {kind: provider.Credentials, code: "Client specified an invalid argument"},
		"key_missing":           {kind: provider.Credentials, code: "unauthenticated:no-credentials"},
		"key_blocked":           {kind: provider.Credentials, code: "The caller does not have permission to execute the specified operation"},
		"quota_402":             {kind: provider.Quota},
		"quota_403":             {kind: provider.Quota, code: "The caller does not have permission to execute the specified operation"},
		"quota_429":             {kind: provider.Quota, code: "insufficient_quota"},
		"rate_429":              {kind: provider.RateLimited, code: "Some resource has been exhausted", after: 3 * time.Second},
		"rate_429_openai":       {kind: provider.RateLimited, code: "rate_limit_exceeded", after: 50 * time.Millisecond},
		"doubt_500":             {kind: provider.InDoubt, code: "internal-error"},
		"doubt_503":             {kind: provider.InDoubt, after: 7 * time.Second},
		"doubt_529":             {kind: provider.InDoubt},
		"doubt_html":            {kind: provider.InDoubt},
		"doubt_no_data":         {kind: provider.InDoubt, price: 1, priced: true},
		"redirect_308":          {kind: provider.Rejected},
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "testdata", "wire", "replies", "*.json"))
	if err != nil || len(files) != len(tests) {
		t.Errorf("%d recorded replies, %d tests: %v", len(files), len(tests), err)
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var posts atomic.Int32
			m, _ := serve(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) {
				posts.Add(1)
				readFixture(t, name).serve(w, r)
			})
			var s providertest.Recorder
			reply, err := m.Make(t.Context(), generate(1), &s)
			if posts.Load() != 1 || s.Count("sent") != 1 {
				t.Errorf("%d POSTs, sent told %d times", posts.Load(), s.Count("sent"))
			}
			if want.kind == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if len(s.Images) != want.images || reply.Price != want.price || reply.Priced != want.priced {
					t.Errorf("%d images for %s (%v), want %+v", len(s.Images), reply.Price, reply.Priced, want)
				}
				return
			}
			e := asError(t, err)
			if e.Kind != want.kind || e.Code != want.code || e.Price != want.price || e.Priced != want.priced || e.RetryAfter != want.after {
				t.Errorf("%+v, want %+v", e, want)
			}
			if e.Message == "" {
				t.Error("no message")
			}
			if len(s.Images) != 0 {
				t.Errorf("delivered: %v", s.Images)
			}
		})
	}
}

func TestWhatIsDelivered(t *testing.T) {
	t.Parallel()
	deliver := func(t *testing.T, name string) *providertest.Recorder {
		m, _ := serve(t, provider.Config{}, readFixture(t, name).serve)
		var s providertest.Recorder
		if _, err := m.Make(t.Context(), generate(2), &s); err != nil {
			t.Fatal(err)
		}
		return &s
	}
	t.Run("more than n, and the cent that does not divide", func(t *testing.T) {
		t.Parallel()
		s := deliver(t, "ok_current")
		want := map[int]provider.Delivery{}
		for i, c := range "abc" {
			want[i] = provider.Delivery{URL: "https://imgen.x.ai/xai-imgen/" + string(c) + ".jpg", MIME: "image/jpeg", Model: "grok-imagine-image-2.0"}
		}
		if d := cmp.Diff(want, s.Images); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(map[int]provider.Money{0: 333333334, 1: 333333333, 2: 333333333}, s.Prices); d != "" {
			t.Error(d)
		}
	})
	t.Run("a moderated one among good ones", func(t *testing.T) {
		t.Parallel()
		s := deliver(t, "moderated_some")
		if s.Images[0].Moderated || !s.Images[1].Moderated {
			t.Errorf("%+v", s.Images)
		}
	})
	t.Run("fewer than n, with the revised prompt", func(t *testing.T) {
		t.Parallel()
		s := deliver(t, "ok_page")
		if got := s.Images[0].RevisedPrompt; got != "A detailed serene mountain landscape..." {
			t.Error(got)
		}
	})
	for _, name := range []string{"ok_b64", "ok_b64_data_url"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := deliver(t, name)
			if !bytes.Equal(s.Spools[0], aPNG) || s.Images[0].URL != "" {
				t.Errorf("%d bytes, %+v", len(s.Spools[0]), s.Images[0])
			}
			if d := cmp.Diff([]string{"sent", "spool 0", "close 0", "delivered 0"}, s.Events); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestSent compares what leaves with the recorded shapes.
func TestSent(t *testing.T) {
	t.Parallel()
	in := provider.Input{Data: aPNG, MIME: "image/png"}
	b64 := "data:image/png;base64," + base64.StdEncoding.EncodeToString(aPNG)
	second := &provider.Request{
		Model: "grok-imagine-image-2.0", Prompt: "A <cat> & \"a tree\"", N: 2, AspectRatio: "21:9", Resolution: "1.5k", Quality: "medium", User: "u",
	}
	edit := func(n int, mask bool) *provider.Request {
		r := generate(1)
		r.AspectRatio, r.Resolution = "", ""
		for range n {
			r.Inputs = append(r.Inputs, in)
		}
		if mask {
			r.Mask = &provider.Input{Data: []byte("mask"), MIME: "image/png"}
			r.Size = provider.Size{Width: 1024, Height: 1792}
		}
		return r
	}
	tests := map[string]struct {
		cfg        provider.Config
		request    *provider.Request
		path, want string
	}{
		"current": {provider.Config{}, second, "/v1/images/generations",
			`{"model":"grok-imagine-image-2.0","prompt":"A <cat> & \"a tree\"","n":2,"aspect_ratio":"21:9","resolution":"1.5k","quality":"medium","response_format":"url","user":"u"}`},
		"current, all defaults": {provider.Config{}, &provider.Request{Model: "grok-imagine-image-2.0", Prompt: "p", N: 1}, "/v1/images/generations",
			`{"model":"grok-imagine-image-2.0","prompt":"p","n":1,"aspect_ratio":"1:1","resolution":"1k","quality":"low","response_format":"url"}`},
		"documented": {provider.Config{Wire: "documented", Response: "b64_json"},
			&provider.Request{Model: "grok-imagine-image", Prompt: "p", N: 1, Size: provider.Size{Width: 1792, Height: 1024}, Style: "vivid"}, "/v1/images/generations",
			`{"model":"grok-imagine-image","prompt":"p","n":1,"size":"1792x1024","response_format":"b64_json","style":"vivid"}`},
		"current edit": {provider.Config{}, edit(1, false), "/v1/images/edits",
			`{"model":"grok-imagine-image","prompt":"A cat in a tree","n":1,"resolution":"1k","response_format":"url","image":{"url":"` + b64 + `"}}`},
		"current edit of two": {provider.Config{}, edit(2, false), "/v1/images/edits",
			`{"model":"grok-imagine-image","prompt":"A cat in a tree","n":1,"resolution":"1k","response_format":"url","images":[{"url":"` + b64 + `"},{"url":"` + b64 + `"}]}`},
		"documented edit": {provider.Config{Wire: "documented"}, edit(1, true), "/v1/images/edits",
			"model=grok-imagine-image|image(image0.png image/png)=" + string(aPNG) + "|mask(mask.png image/png)=mask|prompt=A cat in a tree|n=1|size=1024x1792|response_format=url|"},
		"documented edit of two": {provider.Config{Wire: "documented"}, edit(2, false), "/v1/images/edits",
			"model=grok-imagine-image|image[](image0.png image/png)=" + string(aPNG) + "|image[](image1.png image/png)=" + string(aPNG) + "|prompt=A cat in a tree|n=1|response_format=url|"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := serve(t, tt.cfg, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != "POST" || r.URL.Path != tt.path || r.ContentLength <= 0 {
					t.Errorf("%s %s, %d bytes", r.Method, r.URL.Path, r.ContentLength)
				}
				h := r.Header
				if h.Get("Authorization") != "Bearer "+canary || h.Get("User-Agent") != "imgbuild" || h.Get("Idempotency-Key")+h.Get("X-Idempotency-Key") != "" {
					t.Errorf("header: %v", h)
				}
				var got string
				if form, err := r.MultipartReader(); err == nil {
					for p, err := form.NextPart(); err == nil; p, err = form.NextPart() {
						b, _ := io.ReadAll(p)
						got += p.FormName()
						if p.FileName() != "" {
							got += "(" + p.FileName() + " " + p.Header.Get("Content-Type") + ")"
						}
						got += "=" + string(b) + "|"
					}
				} else {
					b, _ := io.ReadAll(r.Body)
					got = string(b)
				}
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Error(d)
				}
				readFixture(t, "ok_page").serve(w, r)
			})
			if _, err := m.Make(t.Context(), tt.request, &providertest.Recorder{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBrokenCalls: what the failure of each stage is worth.
func TestBrokenCalls(t *testing.T) {
	t.Parallel()
	abort := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	whole := `{"data":[{"url":"https://i.example/0.png"},{"url":"https://i.example/1.png"}],"usage":{"cost_in_usd_ticks":400000000}}`
	cut := func(status, n int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			w.WriteHeader(status)
			io.WriteString(w, whole[:n])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		kind    provider.Kind
		images  int
	}{
		"closed without an answer": {abort, provider.InDoubt, 0},
		"closed after reading": {func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			abort(w, r)
		}, provider.InDoubt, 0},
		"reset": {func(w http.ResponseWriter, r *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}, provider.InDoubt, 0},
		"not HTTP": {func(w http.ResponseWriter, r *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			io.WriteString(c, "SSH-2.0-OpenSSH\r\n\r\n")
			c.Close()
		}, provider.InDoubt, 0},
		"cut before the first image":     {cut(200, 20), provider.InDoubt, 0},
		"cut after the first image":      {cut(200, 60), provider.InDoubt, 1},
		"cut in the price":               {cut(200, len(whole)-4), provider.InDoubt, 2},
		"cut error":                      {cut(400, 30), provider.InDoubt, 0},
		"empty 200":                      {func(w http.ResponseWriter, _ *http.Request) {}, provider.InDoubt, 0},
		"more brackets than a stack has": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat(`{"a":[`, 1<<20)) }, provider.InDoubt, 0},
		"more images than anybody asks for": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"data":[`+strings.Repeat(`{"url":"u"},`, 1000))
		}, provider.InDoubt, maxCount},
		"endless captions": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"data":[{"revised_prompt":"`)
			for range 5 {
				io.WriteString(w, strings.Repeat("x", 1<<20))
			}
		}, provider.InDoubt, 0},
		"303": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/done")
			w.WriteHeader(303)
		}, provider.InDoubt, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var posts atomic.Int32
			m, _ := serve(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) {
				posts.Add(1)
				tt.handler(w, r)
			})
			var s providertest.Recorder
			_, err := m.Make(t.Context(), generate(2), &s)
			if e := asError(t, err); e.Kind != tt.kind {
				t.Errorf("%v, want %v", e, tt.kind)
			}
			if posts.Load() != 1 || len(s.Images) != tt.images {
				t.Errorf("%d POSTs, %d images; want 1 and %d", posts.Load(), len(s.Images), tt.images)
			}
			for _, p := range s.Prices {
				if p != 2*cent {
					t.Errorf("price %s; the offer's is %s", p, 2*cent)
				}
			}
		})
	}
}

// TestNoReplay: a server that answers once on a connection, keeps it open and
// then drops it is what makes net/http send a POST twice.
func TestNoReplay(t *testing.T) {
	t.Parallel()
	var posts, conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if posts.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
		readFixture(t, "ok_page").serve(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	m := mustMake(t, provider.Config{Endpoint: s.URL})
	if _, err := m.Make(t.Context(), generate(1), &providertest.Recorder{}); err != nil {
		t.Fatal(err)
	}
	_, err := m.Make(t.Context(), generate(1), &providertest.Recorder{})
	if e := asError(t, err); e.Kind != provider.InDoubt {
		t.Error(e)
	}
	if posts.Load() != 2 || conns.Load() != 2 {
		t.Errorf("two calls made %d POSTs on %d connections", posts.Load(), conns.Load())
	}
}

func TestNotSent(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for name, endpoint := range map[string]string{
		"refused":             "http://" + closed.Addr().String(),
		"unknown certificate": secure.URL,
		"no TLS":              strings.Replace(plain.URL, "http", "https", 1),
	} {
		t.Run(name, func(t *testing.T) {
			var s providertest.Recorder
			_, err := mustMake(t, provider.Config{Endpoint: endpoint}).Make(t.Context(), generate(1), &s)
			if e := asError(t, err); e.Kind != provider.NotSent || len(s.Events) != 0 {
				t.Errorf("%v, %q", e, s.Events)
			}
		})
	}
}

// TestTLS: the whole way over https, which is how the service is called.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			w.Write(aPNG)
			return
		}
		if r.ProtoMajor != 1 || r.TLS == nil {
			t.Errorf("%s, %v", r.Proto, r.TLS)
		}
		fmt.Fprintf(w, `{"data":[{"url":"https://%s/a.png"}]}`, r.Host)
	}))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	m := mustMake(t, provider.Config{Endpoint: s.URL})
	m.tls.RootCAs = roots
	var sink providertest.Recorder
	if _, err := m.Make(t.Context(), generate(1), &sink); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := m.Fetch(t.Context(), sink.Images[0].URL, &b); err != nil || !bytes.Equal(b.Bytes(), aPNG) {
		t.Errorf("%v, %d bytes", err, b.Len())
	}
	other := mustMake(t, provider.Config{Endpoint: strings.Replace(s.URL, "127.0.0.1", "localhost", 1)})
	other.tls.RootCAs = roots
	_, err := other.Make(t.Context(), generate(1), &providertest.Recorder{})
	if e := asError(t, err); e.Kind != provider.NotSent {
		t.Errorf("a certificate for another name: %v", e)
	}
}

// TestSinkRefusesToSend: the server sees a connection but not one byte.
func TestSinkRefusesToSend(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- -1
			return
		}
		n, _ := io.Copy(io.Discard, c)
		got <- n
	}()
	full := errors.New("disk full")
	s := providertest.Recorder{Fail: map[string]error{"sent": full}}
	_, err = mustMake(t, provider.Config{Endpoint: "http://" + l.Addr().String()}).Make(t.Context(), generate(1), &s)
	if !errors.Is(err, full) {
		t.Error(err)
	}
	if n := <-got; n != 0 {
		t.Errorf("%d bytes left", n)
	}
}

// TestCancelledInFlight: after the first byte a cancelled call is in doubt, not
// merely cancelled.
func TestCancelledInFlight(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	m, _ := serve(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	_, err := m.Make(ctx, generate(1), &providertest.Recorder{})
	if e := asError(t, err); e.Kind != provider.InDoubt {
		t.Error(e)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, cfg := range []provider.Config{{Response: "url"}, {Response: "b64_json"}, {Wire: "documented", Response: "url"}} {
		t.Run(cfg.Wire+" "+cfg.Response, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, func(t *testing.T) providertest.Rig {
				m, _ := serve(t, cfg, func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "-models") {
						readCatalogue(t, "same").serve(w, r)
						return
					}
					if r.Method == "GET" {
						w.Write(aPNG)
						return
					}
					body, _ := io.ReadAll(r.Body)
					n := 1
					if bytes.Contains(body, []byte(`"n":3`)) {
						n = 3
					}
					one := fmt.Sprintf(`{"url":"http://%s/a.png"}`, r.Host)
					if cfg.Response == "b64_json" {
						one = `{"b64_json":"` + base64.StdEncoding.EncodeToString(aPNG) + `"}`
					}
					io.WriteString(w, `{"data":[`+strings.TrimSuffix(strings.Repeat(one+",", n), ",")+`]}`)
				})
				edit := generate(1)
				edit.Inputs = []provider.Input{{Data: aPNG, MIME: "image/png"}}
				requests := []*provider.Request{generate(3), edit}
				if cfg.Wire == "documented" {
					for _, r := range requests {
						r.Resolution = ""
					}
				}
				return providertest.Rig{Maker: m, Requests: requests, Inline: cfg.Response == "b64_json"}
			})
		})
	}
}
