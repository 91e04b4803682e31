package xai

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		addr string
		ok   bool
	}{
		{"1.1.1.1", true},
		{"93.184.215.14", true},
		{"100.63.255.255", true},
		{"100.128.0.1", true},
		{"172.15.0.1", true},
		{"172.32.0.1", true},
		{"192.0.1.1", true},
		{"198.17.255.255", true},
		{"223.255.255.255", true},
		{"2606:4700:4700::1111", true},
		{"2a00:1450::1", true},

		{"0.0.0.0", false},
		{"0.1.2.3", false},
		{"10.0.0.1", false},
		{"100.64.0.1", false}, // CGNAT, and metadata of one cloud at 100.100.100.200
		{"100.100.100.200", false},
		{"127.0.0.1", false},
		{"127.255.255.254", false},
		{"168.63.129.16", false},
		{"169.254.169.254", false}, // metadata
		{"172.16.0.1", false},
		{"172.31.255.255", false},
		{"192.0.0.192", false},
		{"192.0.2.1", false},
		{"192.88.99.1", false},
		{"192.168.1.1", false},
		{"198.18.0.1", false},
		{"198.51.100.1", false},
		{"203.0.113.1", false},
		{"224.0.0.1", false},
		{"240.0.0.1", false},
		{"255.255.255.255", false},

		{"::", false},
		{"::1", false},
		{"::127.0.0.1", false},                   // IPv4-compatible
		{"::ffff:127.0.0.1", false},              // mapped
		{"::ffff:169.254.169.254", false},        // mapped
		{"::ffff:1.1.1.1", true},                 // mapped, public
		{"::ffff:0:127.0.0.1", false},            // translated
		{"64:ff9b::7f00:1", false},               // NAT64
		{"64:ff9b:1::a00:1", false},              // local NAT64
		{"2002:7f00:1::", false},                 // 6to4
		{"2001:0:53aa:64c:0:0:80ff:fffe", false}, // Teredo
		{"2001:db8::1", false},
		{"3fff::1", false},
		{"100::1", false},
		{"fc00::1", false},
		{"fd00:ec2::254", false}, // metadata
		{"fe80::1", false},
		{"fe80::1%eth0", false},
		{"fec0::1", false},
		{"ff02::1", false},
		{"4000::1", false}, // not assigned
	} {
		if got := public(netip.MustParseAddr(tt.addr)); got != tt.ok {
			t.Errorf("%s: %v, want %v", tt.addr, got, tt.ok)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// TestFetchRefuses: with a real endpoint, no spelling of an inner address is
// dialled. Each URL leads to a server that is really there.
func TestFetchRefuses(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer inner.Close()
	_, port, _ := net.SplitHostPort(inner.Listener.Addr().String())
	m := mustMake(t, provider.Config{})
	for _, to := range []string{
		"http://127.0.0.1:PORT/", "https://127.0.0.1:PORT/", "https://localhost:PORT/", "https://LOCALHOST.:PORT/",
		"https://[::1]:PORT/", "https://[::ffff:127.0.0.1]:PORT/", "https://[::ffff:7f00:1]:PORT/", "https://0.0.0.0:PORT/",
		"https://[::]:PORT/", "https://127.1:PORT/", "https://2130706433:PORT/", "https://0x7f.1:PORT/", "https://0177.0.0.1:PORT/",
		"https://127.0.0.1.:PORT/", "https://user:pass@127.0.0.1:PORT/", "https://169.254.169.254/latest", "https://[fd00:ec2::254]/",
		"file:///etc/passwd", "ftp://127.0.0.1:PORT/", "data:image/png;base64,AAAA", "//127.0.0.1:PORT/", "https://", "https:///x", "", "::", "http://api.x.ai/x",
	} {
		err := m.Fetch(t.Context(), strings.ReplaceAll(to, "PORT", port), io.Discard)
		// A spelling that this machine's resolver does not know is an unknown name.
		if e := asError(t, err); e.Kind != provider.Rejected && !strings.Contains(e.Message, "there is no host") {
			t.Errorf("%s: %v", to, e)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("the inner server was asked %d times", asked.Load())
	}
}

// TestLocalhostStaysHere: a loopback endpoint by name is checked as dialled.
func TestLocalhostStaysHere(t *testing.T) {
	t.Parallel()
	check := onlyDial(netip.Addr.IsLoopback)
	for addr, ok := range map[string]bool{"127.0.0.1:80": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true, "192.0.2.1:80": false, "x:80": false} {
		if err := check("tcp", addr, nil); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	to := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		kind    provider.Kind
		after   time.Duration
	}{
		"403": {to(403), provider.Unusable, 0},
		"404": {to(404), provider.Unusable, 0},
		"410": {to(410), provider.Unusable, 0},
		"400": {to(400), provider.Rejected, 0},
		"204": {to(204), provider.Rejected, 0},
		"206": {to(206), provider.Rejected, 0},
		"429": {to(429, "Retry-After", "2"), provider.RateLimited, 2 * time.Second},
		"500": {to(500), provider.NotSent, 0},
		"503": {to(503, "Retry-After", "2"), provider.NotSent, 2 * time.Second},
		"408": {to(408), provider.NotSent, 0},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write(aPNG[:50])
		}, provider.NotSent, 0},
		"dropped":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, provider.NotSent, 0},
		"loop":             {to(302, "Location", "/"), provider.NotSent, 0},
		"nowhere":          {to(302), provider.NotSent, 0},
		"redirect inwards": {to(302, "Location", "https://169.254.169.254/latest/meta-data"), provider.NotSent, 0},
		"redirect to file": {to(307, "Location", "file:///etc/passwd"), provider.NotSent, 0},
		"too long": {func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, 1<<20))
		}, provider.Unusable, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, s := serve(t, provider.Config{}, tt.handler)
			m.maxImage = 1<<20 - 1
			err := m.Fetch(t.Context(), s.URL, io.Discard)
			if e := asError(t, err); e.Kind != tt.kind || e.RetryAfter != tt.after {
				t.Errorf("%+v, want %v", e, tt)
			}
		})
	}
	t.Run("without credentials, and no redirect", func(t *testing.T) {
		t.Parallel()
		var asked []string
		m, s := serve(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.Path)
			for name := range r.Header {
				if name != "User-Agent" {
					t.Errorf("sent %s: %s", name, r.Header.Get(name))
				}
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(301)
		})
		err := m.Fetch(t.Context(), s.URL+"/a", io.Discard)
		if e := asError(t, err); e.Kind != provider.NotSent || len(asked) != 1 {
			t.Errorf("%+v after asking for %q", e, asked)
		}
	})
	t.Run("the disk is full", func(t *testing.T) {
		t.Parallel()
		m, s := serve(t, provider.Config{}, func(w http.ResponseWriter, _ *http.Request) { w.Write(aPNG) })
		full := errors.New("disk full")
		r, w := io.Pipe()
		r.CloseWithError(full)
		err := m.Fetch(t.Context(), s.URL, w)
		if e := (*provider.Error)(nil); !errors.Is(err, full) || errors.As(err, &e) {
			t.Error(err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		m, s := serve(t, provider.Config{}, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
		if err := m.Fetch(ctx, s.URL, io.Discard); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := m.Fetch(ctx, s.URL, io.Discard); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// overPipe makes a maker whose only connection leads to talk, so that time is
// synctest's.
func overPipe(t *testing.T, talk func(net.Conn)) *maker {
	m := mustMake(t, provider.Config{Endpoint: "http://127.0.0.1:1"})
	m.dial = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			talk(theirs)
		}()
		return ours, nil
	}
	return m
}

// untilHead reads to the end of a head and drops what comes after it.
func untilHead(c net.Conn) {
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b...) {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
	go io.Copy(io.Discard, c)
}

// TestStalls: every silence ends, in the time that it is given.
func TestStalls(t *testing.T) {
	t.Parallel()
	var forever chan struct{} // until the end of a test
	silent := func(say string) func(net.Conn) {
		return func(c net.Conn) {
			untilHead(c)
			io.WriteString(c, say)
			<-forever
		}
	}
	make1 := func(m *maker) error {
		_, err := m.Make(context.Background(), generate(1), &providertest.Recorder{})
		return err
	}
	proxied := func(m *maker) error {
		m.endpoint = &url.URL{Scheme: "https", Host: "example.com"}
		m.proxies = func(*url.URL) (*url.URL, error) { return &url.URL{Scheme: "http", Host: "proxy.example:3128"}, nil }
		m.anywhere = m.dial
		return make1(m)
	}
	fetch := func(m *maker) error { return m.Fetch(context.Background(), "http://127.0.0.1:1/a.png", io.Discard) }
	for name, tt := range map[string]struct {
		talk func(net.Conn)
		call func(*maker) error
		kind provider.Kind
		want time.Duration
	}{
		"request not read": {func(net.Conn) { <-forever }, make1, provider.InDoubt, 2 * firstByte},
		"no answer":        {silent(""), make1, provider.InDoubt, firstByte},
		"half an answer":   {silent("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), make1, provider.InDoubt, idleTime},
		"half an error":    {silent("HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\n{"), make1, provider.InDoubt, idleTime},
		"slow answer": {func(c net.Conn) {
			untilHead(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			for _, b := range []byte(`{"data":[{"url":"u"}]}`) {
				time.Sleep(idleTime - 10*time.Second)
				c.Write([]byte{b})
			}
		}, make1, 0, 22 * (idleTime - 10*time.Second)},
		"endless answer": {func(c net.Conn) {
			untilHead(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n{")
			for {
				select {
				case <-time.After(idleTime / 2):
					c.Write([]byte{' '})
				case <-forever:
					return
				}
			}
		}, make1, provider.InDoubt, replyTime},
		"silent proxy": {silent(""), proxied, provider.NotSent, dialTime},
		"no picture":   {silent(""), fetch, provider.NotSent, fetchIdle},
		"half picture": {silent("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n\x89"), fetch, provider.NotSent, fetchIdle},
		"drip": {func(c net.Conn) {
			untilHead(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
			for {
				select {
				case <-time.After(20 * time.Second):
					c.Write([]byte{0})
				case <-forever:
					return
				}
			}
		}, fetch, provider.NotSent, paceTime},
		"slow but steady": {func(c net.Conn) {
			untilHead(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			for {
				select {
				case <-time.After(20 * time.Second):
					c.Write(make([]byte, paceLeast/2))
				case <-forever:
					return
				}
			}
		}, fetch, provider.NotSent, fetchTime},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				forever = make(chan struct{})
				defer close(forever)
				start := time.Now()
				err := tt.call(overPipe(t, tt.talk))
				if got := time.Since(start).Round(time.Second); got != tt.want {
					t.Errorf("took %s, want %s", got, tt.want)
				}
				if tt.kind == 0 {
					if err != nil {
						t.Error(err)
					}
				} else if e := asError(t, err); e.Kind != tt.kind {
					t.Error(e)
				}
			})
		})
	}
}

func ExampleOffers() {
	for _, o := range Offers(provider.Config{Wire: "documented"}) {
		fmt.Println(o.Model, o.Sizes, o.AspectRatios)
	}
	// Output: grok-imagine-image [1024x1024 1792x1024 1024x1792] [1:1 4:3 3:4 16:9 9:16 3:2 2:3]
}
