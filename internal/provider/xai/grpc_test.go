package xai

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

// The messages here are written field by field from the published numbers, and
// not by package xaipb, so that its .proto is held to them.

type field struct {
	number protowire.Number
	value  any // string, int64, or []field
}

func encode(fields ...field) (b []byte) {
	for _, f := range fields {
		switch v := f.value.(type) {
		case string:
			b = protowire.AppendString(protowire.AppendTag(b, f.number, protowire.BytesType), v)
		case int:
			b = protowire.AppendVarint(protowire.AppendTag(b, f.number, protowire.VarintType), uint64(v))
		case []field:
			b = protowire.AppendBytes(protowire.AppendTag(b, f.number, protowire.BytesType), encode(v...))
		}
	}
	return b
}

// decode lists the fields of a message by number, the order of the wire being
// free; nested tells which are messages.
func decode(t *testing.T, b []byte, nested ...protowire.Number) (out []field) {
	t.Helper()
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		switch kind {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			out, b = append(out, field{number, int(v)}), b[n:]
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			b = b[n:]
			var value any = string(v)
			for _, x := range nested {
				if x == number {
					value = decode(t, v)
				}
			}
			out = append(out, field{number, value})
		default:
			t.Fatalf("field %d has type %d", number, kind)
		}
	}
	slices.SortStableFunc(out, func(a, b field) int { return cmp.Compare(a.number, b.number) })
	return out
}

// frame is a message as a body of gRPC: a byte for compression and four for the
// length go before it.
func frame(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// answerGRPC sends a message and a status. Without a message the status stands
// in the header, as servers do.
func answerGRPC(w http.ResponseWriter, message []byte, status int, text string, header ...string) {
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	if message == nil {
		h.Set("Grpc-Status", fmt.Sprint(status))
		h.Set("Grpc-Message", text)
		return
	}
	h.Set("Trailer", "Grpc-Status, Grpc-Message")
	w.Write(frame(message))
	h.Set("Grpc-Status", fmt.Sprint(status))
	h.Set("Grpc-Message", text)
}

// serveGRPC starts a server without TLS and a maker that uses it.
func serveGRPC(t *testing.T, cfg provider.Config, h http.HandlerFunc) *maker {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	s.Config.Protocols = &p
	s.Start()
	t.Cleanup(s.Close)
	cfg.Type, cfg.Endpoint, cfg.Transport = "xai", s.URL+"/v1", "grpc"
	return mustMake(t, cfg)
}

// usageOf is field 3 of a reply: 11 is the price in ticks.
func usageOf(ticks int) field { return field{3, []field{{2, 5}, {11, ticks}}} }

func TestGRPCRequest(t *testing.T) {
	t.Parallel()
	edit := generate(2)
	edit.AspectRatio = ""
	edit.Inputs = []provider.Input{{Data: aPNG, MIME: "image/png"}}
	two := generate(1)
	two.Inputs = []provider.Input{{Data: aPNG, MIME: "image/png"}, {Data: aPNG, MIME: "image/jpeg"}}
	two.User = "u-1"
	newest := generate(1)
	newest.Model, newest.Quality, newest.Resolution, newest.AspectRatio = "grok-imagine-image-2.0", "medium", "2k", "19.5:9"
	pic := base64.StdEncoding.EncodeToString(aPNG)
	source := func(mime string) []field { return []field{{1, "data:" + mime + ";base64," + pic}, {2, 1}} } // 2: DETAIL_AUTO
	tests := map[string]struct {
		request  *provider.Request
		response string
		want     []field
	}{
		"generate": {generate(4), "", []field{{1, "A cat in a tree"}, {2, "grok-imagine-image"}, {3, 4}, {11, 2}, {14, 3}, {15, 1}}},
		"base64":   {generate(1), "b64_json", []field{{1, "A cat in a tree"}, {2, "grok-imagine-image"}, {3, 1}, {11, 1}, {14, 3}, {15, 1}}},
		"quality":  {newest, "", []field{{1, "A cat in a tree"}, {2, "grok-imagine-image-2.0"}, {3, 1}, {11, 2}, {12, 2}, {14, 10}, {15, 2}}},
		"edit":     {edit, "", []field{{1, "A cat in a tree"}, {2, "grok-imagine-image"}, {3, 2}, {5, source("image/png")}, {11, 2}, {15, 1}}},
		"edit two": {two, "", []field{{1, "A cat in a tree"}, {2, "grok-imagine-image"}, {3, 1}, {4, "u-1"}, {11, 2}, {14, 3}, {15, 1},
			{17, source("image/png")}, {17, source("image/jpeg")}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []field
			m := serveGRPC(t, provider.Config{Response: tt.response}, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || len(body) < 5 || body[0] != 0 || int(binary.BigEndian.Uint32(body[1:5])) != len(body)-5 {
					t.Errorf("frame: %v, %.10q", err, body)
					return
				}
				got = decode(t, body[5:], 5, 17)
				for k, v := range map[string]string{"Content-Type": "application/grpc", "Te": "trailers", "Authorization": "Bearer " + canary, "User-Agent": "imgbuild"} {
					if !strings.HasPrefix(r.Header.Get(k), v) {
						t.Errorf("%s: %q", k, r.Header.Get(k))
					}
				}
				if r.ProtoMajor != 2 || r.Method != "POST" || r.URL.Path != "/xai_api.Image/GenerateImage" {
					t.Errorf("%s %s %s", r.Proto, r.Method, r.URL)
				}
				var images []field
				for i := range tt.request.N {
					images = append(images, field{1, []field{{3, fmt.Sprintf("https://imgen.x.ai/%d.jpg", i)}, {4, 1}}})
				}
				answerGRPC(w, encode(append(images, field{2, "served"}, usageOf(7e8))...), 0, "")
			})
			var s providertest.Recorder
			reply, err := m.Make(t.Context(), tt.request, &s)
			if err != nil {
				t.Fatal(err)
			}
			if d := diff.Diff(tt.want, got, diff.AllowUnexported(field{})); d != "" {
				t.Error(d)
			}
			if len(s.Images) != tt.request.N || reply.Price != 7e8 || !reply.Priced || s.Images[0].Model != "served" {
				t.Errorf("%+v %+v", s.Images, reply)
			}
		})
	}
}

func TestGRPCReplies(t *testing.T) {
	t.Parallel()
	pic := base64.StdEncoding.EncodeToString(aPNG)
	image := func(f ...field) field { return field{1, f} }
	tests := map[string]struct {
		message []byte
		kind    provider.Kind
		images  int
		price   provider.Money
	}{
		"data URL":           {message: encode(image(field{1, "data:image/png;base64," + pic}, field{4, 1}), usageOf(5)), images: 1, price: 5},
		"bare base64":        {message: encode(image(field{1, pic}, field{4, 1})), images: 1, price: 2 * cent},
		"unknown fields":     {message: encode(image(field{3, "https://h/a"}, field{4, 1}, field{8, []field{{1, "file"}}}, field{99, 1}), field{50, "x"}), images: 1, price: 2 * cent},
		"more than asked":    {message: encode(image(field{3, "https://h/a"}, field{4, 1}), image(field{3, "https://h/b"}, field{4, 1}), usageOf(3)), images: 2, price: 3},
		"not base64":         {message: encode(image(field{1, "data:image/png;base64,%%%%"}, field{4, 1}), usageOf(5)), kind: provider.Unusable, price: 5},
		"moderated":          {message: encode(image(), usageOf(5)), kind: provider.Moderated, price: 5},
		"moderated, a URL":   {message: encode(image(field{3, "https://h/placeholder"}), usageOf(5)), kind: provider.Moderated, price: 5},
		"no image":           {message: encode(usageOf(5)), kind: provider.Moderated, price: 5},
		"an empty message":   {message: []byte{}, kind: provider.Moderated, price: 2 * cent},
		"not a message":      {message: []byte{0xff, 0xff}, kind: provider.InDoubt},
		"one of two refused": {message: encode(image(field{3, "https://h/a"}, field{4, 1}), image(), usageOf(5)), images: 2, price: 5},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := serveGRPC(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				answerGRPC(w, tt.message, 0, "")
			})
			var s providertest.Recorder
			reply, err := m.Make(t.Context(), generate(1), &s)
			if tt.kind == 0 {
				if err != nil || len(s.Images) != tt.images || reply.Price != tt.price {
					t.Errorf("%v, %d images, %s", err, len(s.Images), reply.Price)
				}
				for _, b := range s.Spools {
					if !bytes.Equal(b, aPNG) || s.Images[0].MIME != "image/png" && name == "data URL" {
						t.Errorf("%+v: %q", s.Images[0], b)
					}
				}
				return
			}
			if e := asError(t, err); e.Kind != tt.kind || e.Price != tt.price || len(s.Images) > 0 {
				t.Errorf("%+v, want %v for %s; %v", e, tt.kind, tt.price, s.Images)
			}
		})
	}
}

// TestGRPCStatuses: codes are those of google.rpc.Code.
func TestGRPCStatuses(t *testing.T) {
	t.Parallel()
	type test struct {
		status int
		text   string
		kind   provider.Kind
	}
	tests := map[string]test{
		"cancelled":             {1, "m", provider.InDoubt},
		"unknown":               {2, "m", provider.InDoubt},
		"invalid argument":      {3, "n must be at most 10", provider.Rejected},
		"invalid, moderated":    {3, "Generated image rejected by content moderation.", provider.Moderated},
		"invalid, wrong key":    {3, "Incorrect API key provided: xa***", provider.Credentials},
		"deadline exceeded":     {4, "m", provider.InDoubt},
		"not found":             {5, "The model m does not exist", provider.Rejected},
		"permission denied":     {7, "m", provider.Credentials},
		"resource exhausted":    {8, "m", provider.RateLimited},
		"exhausted, no credits": {8, "Your team ran out of credits", provider.Quota},
		"failed precondition":   {9, "m", provider.Rejected},
		"unimplemented":         {12, "m", provider.Rejected},
		"internal":              {13, "m", provider.InDoubt},
		"unavailable":           {14, "m", provider.InDoubt},
		"data loss":             {15, "m", provider.InDoubt},
		"unauthenticated":       {16, "m", provider.Credentials},
		"no such code":          {99, "m", provider.InDoubt},
	}
	for name, tt := range tests {
		for _, trailersOnly := range []bool{true, false} {
			t.Run(fmt.Sprint(name, trailersOnly), func(t *testing.T) {
				t.Parallel()
				var posts atomic.Int32
				m := serveGRPC(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) {
					posts.Add(1)
					io.Copy(io.Discard, r.Body)
					if !trailersOnly {
						w.Header().Set("Content-Type", "application/grpc")
						w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
						w.Header().Set("Retry-After", "3")
						w.(http.Flusher).Flush()
						w.Header().Set("Grpc-Status", fmt.Sprint(tt.status))
						w.Header().Set("Grpc-Message", tt.text)
						return
					}
					answerGRPC(w, nil, tt.status, tt.text, "Retry-After", "3", "X-Request-Id", "r-1")
				})
				var s providertest.Recorder
				_, err := m.Make(t.Context(), generate(1), &s)
				e := asError(t, err)
				if e.Kind != tt.kind || e.Message == "" || posts.Load() != 1 || s.Count("sent") != 1 {
					t.Errorf("%+v after %d requests, want %v", e, posts.Load(), tt.kind)
				}
				if e.Kind == provider.RateLimited && e.RetryAfter != 3*time.Second {
					t.Errorf("retry after %s", e.RetryAfter)
				}
			})
		}
	}
}

// What is not gRPC at all, and what breaks off.
func TestGRPCBroken(t *testing.T) {
	t.Parallel()
	page := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	tests := map[string]struct {
		kind provider.Kind
		h    http.HandlerFunc
	}{
		"429 of a proxy": {provider.RateLimited, page(429, "slow down")},
		"401 of a proxy": {provider.Credentials, page(401, `{"error":"who"}`)},
		"404 of a site":  {provider.Rejected, page(404, "<html>")},
		"503":            {provider.InDoubt, page(503, "")},
		"a page":         {provider.InDoubt, page(200, "<html>")},
		"aborted":        {provider.InDoubt, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		"after read":     {provider.InDoubt, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); panic(http.ErrAbortHandler) }},
		"a cut message":  {provider.InDoubt, func(w http.ResponseWriter, r *http.Request) { cutMessage(w) }},
		"no status": {provider.InDoubt, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Write(frame(nil))
		}},
		"too long a size": {provider.InDoubt, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Write([]byte{0, 0xff, 0xff, 0xff, 0xff})
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var posts atomic.Int32
			m := serveGRPC(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) { posts.Add(1); tt.h(w, r) })
			var s providertest.Recorder
			_, err := m.Make(t.Context(), generate(1), &s)
			if e := asError(t, err); e.Kind != tt.kind || posts.Load() != 1 || len(s.Images) > 0 {
				t.Errorf("%+v after %d requests, want %v", e, posts.Load(), tt.kind)
			}
		})
	}
}

func cutMessage(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/grpc")
	whole := frame(encode(field{1, []field{{3, "https://h/a"}, {4, 1}}}))
	w.Write(whole[:len(whole)-3])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// TestGRPCStalls: every silence ends, in the time that it is given.
func TestGRPCStalls(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		say  func(w http.ResponseWriter)
		want time.Duration
	}{
		"no answer": {func(http.ResponseWriter) { time.Sleep(time.Hour) }, firstByte},
		"half a message": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Write([]byte{0, 0, 0})
			w.(http.Flusher).Flush()
			time.Sleep(time.Hour)
		}, idleTime},
		"a drip": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Write([]byte{0, 0, 0, 0xff, 0xff, 0x0a, 0xf0, 0xff, 0x03, 0x0a, 0xe0, 0xff, 0x03}) // an image with a long base64
			for range 100 {
				w.Write([]byte{'A'})
				w.(http.Flusher).Flush()
				time.Sleep(idleTime / 2)
			}
		}, replyTime},
	} {
		t.Run(name, func(t *testing.T) {
			h := func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); tt.say(w) }
			inTime(t, provider.Config{Transport: "grpc"}, h, func(t *testing.T, m *maker) {
				begun := time.Now()
				_, err := m.Make(t.Context(), generate(1), &providertest.Recorder{})
				if e := asError(t, err); e.Kind != provider.InDoubt {
					t.Error(e)
				}
				if got := time.Since(begun).Round(time.Second); got != tt.want {
					t.Errorf("took %s, want %s", got, tt.want)
				}
				time.Sleep(time.Hour) // the handler ends
			})
		})
	}
}

// TestGRPCTLS: the real endpoint speaks HTTP/2 over TLS.
func TestGRPCTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.ProtoMajor != 2 || r.TLS == nil {
			t.Errorf("%s, %v", r.Proto, r.TLS)
		}
		answerGRPC(w, encode(field{1, []field{{3, "https://h/a"}, {4, 1}}}), 0, "")
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	m := mustMake(t, provider.Config{Type: "xai", Endpoint: s.URL + "/v1", Transport: "grpc"})
	m.tls.RootCAs = x509.NewCertPool()
	m.tls.RootCAs.AddCert(s.Certificate())
	if _, err := m.Make(t.Context(), generate(1), &providertest.Recorder{}); err != nil {
		t.Error(err)
	}
}

func TestGRPCMaker(t *testing.T) {
	t.Parallel()
	edit := generate(1)
	edit.Inputs = []provider.Input{{Data: aPNG, MIME: "image/png"}}
	pic := "data:image/png;base64," + base64.StdEncoding.EncodeToString(aPNG)
	providertest.Run(t, func(t *testing.T) providertest.Rig {
		return providertest.Rig{Inline: true, Requests: []*provider.Request{generate(1), generate(3), edit}, Maker: serveGRPC(t, provider.Config{Response: "b64_json"},
			func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "GET" { // the catalogue is REST's
					readCatalogue(t, "same").serve(w, r)
					return
				}
				body, _ := io.ReadAll(r.Body)
				var images []field
				for _, f := range decode(t, body[5:]) {
					if f.number == 3 {
						for range f.value.(int) {
							images = append(images, field{1, []field{{1, pic}, {4, 1}}})
						}
					}
				}
				answerGRPC(w, encode(images...), 0, "")
			})}
	})
}
