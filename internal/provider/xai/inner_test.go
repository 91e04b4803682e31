package xai

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

// innerURLs are spellings of what is not on the Internet. PORT is that of a
// server that is really there, on 127.0.0.1 and ::1.
var innerURLs = []string{
	// IPv4, as it is and as inet_aton reads it.
	"https://127.0.0.1:PORT/", "https://127.1:PORT/", "https://127.0.1:PORT/", "https://2130706433:PORT/", "https://0x7f000001:PORT/", "https://0x7F.0x0.0x0.0x1:PORT/",
	"https://0x7f.1:PORT/", "https://0177.0.0.1:PORT/", "https://017700000001:PORT/", "https://0177.0.0.01:PORT/", "https://127.0.0.001:PORT/",
	"https://127.0.0.1.:PORT/", "https://127.0.0.1..:PORT/", "https://127.255.255.254:PORT/", "https://0.0.0.0:PORT/", "https://0:PORT/", "https://0.0.0.0.:PORT/",
	"https://00000177.1:PORT/", "https://127.0x1:PORT/", "https://4294967295:PORT/", "https://127.0.0.1%2e:PORT/", "https://%31%32%37.0.0.1:PORT/",
	// Names.
	"https://localhost:PORT/", "https://LOCALHOST:PORT/", "https://LocalHost.:PORT/", "https://localhost.localdomain:PORT/", "https://a.localhost:PORT/", "https://ip6-localhost:PORT/",
	"https://inner.example.net:PORT/", "https://INNER.example.NET.:PORT/", "https://six.example.net:PORT/", "https://mapped.example.net:PORT/", "https://private.example.net/",
	"https://metadata.example.net/latest/meta-data/", "https://mixed.example.net:PORT/", "https://rebind.example.net:PORT/", "https://metadata.google.internal/computeMetadata/v1/", "https://printer.local/", "https://router/",
	// IPv6.
	"https://[::1]:PORT/", "https://[0:0:0:0:0:0:0:1]:PORT/", "https://[::]:PORT/", "https://[::ffff:127.0.0.1]:PORT/", "https://[::ffff:7f00:1]:PORT/", "https://[::FFFF:7F00:0001]:PORT/",
	"https://[0:0:0:0:0:ffff:127.0.0.1]:PORT/", "https://[::127.0.0.1]:PORT/", "https://[::ffff:0:127.0.0.1]:PORT/", "https://[::1%25lo]:PORT/", "https://[::1%lo]:PORT/", "https://[fe80::1%25eth0]/",
	"https://[64:ff9b::7f00:1]:PORT/", "https://[64:ff9b::127.0.0.1]:PORT/", "https://[64:ff9b:1::a00:1]/", "https://[2002:7f00:1::]:PORT/", "https://[2002:a9fe:a9fe::1]/", "https://[2001:0:53aa:64c:0:0:80ff:fffe]/",
	"https://[fec0::1]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/latest", "https://[ff02::1]/", "https://[2001:db8::1]/", "https://[100::1]/",
	// Private, shared, reserved, metadata.
	"https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.0.1/", "https://169.254.169.254/latest/meta-data/", "https://169.254.170.2/v2/credentials", "https://2852039166/", "https://0xa9fea9fe/",
	"https://100.64.0.1/", "https://100.100.100.200/latest/meta-data/", "https://168.63.129.16/", "https://192.0.0.192/", "https://198.18.0.1/", "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/",
	// Digits and dots that are mapped to ASCII.
	"https://１２７.0.0.1:PORT/", "https://①②⑦.⓪.⓪.①:PORT/", "https://127。0。0。1:PORT/", "https://127．0．0．1:PORT/", "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/", "https://%E2%91%A0%E2%91%A1%E2%91%A6.0.0.1:PORT/", "https://１２７。１:PORT/",
	// What a reader of URLs may take for another host.
	"https://imgen.x.ai@127.0.0.1:PORT/", "https://user:pass@127.0.0.1:PORT/", "https://imgen.x.ai:443@127.0.0.1:PORT/", "https://127.0.0.1:PORT#@imgen.x.ai/", "https://127.0.0.1:PORT?@imgen.x.ai/",
	"https://127.0.0.1:PORT\\@imgen.x.ai/", "https://imgen.x.ai\\@127.0.0.1:PORT/", "https:\\\\127.0.0.1:PORT/", "https:///127.0.0.1:PORT/", "https:127.0.0.1:PORT/", "//127.0.0.1:PORT/", "https://127.0.0.1:PORT\t/", " https://127.0.0.1:PORT/",
	"https://127.0.0.1\x00.imgen.x.ai:PORT/", "https://127.0.0.1%00.imgen.x.ai:PORT/", "https://imgen.x.ai\r\nHost: 127.0.0.1:PORT/", "https://127.0.0.1:0PORT/", "https://127.0.0.1:99999/", "https://127.0.0.1:-1/",
	// Schemes.
	"http://127.0.0.1:PORT/", "HTTP://127.0.0.1:PORT/", "hTTpS://127.0.0.1:PORT/", "http://localhost:PORT/", "http://imgen.x.ai/", "file:///etc/passwd", "FILE://localhost/etc/passwd", "gopher://127.0.0.1:PORT/_GET",
	"ftp://127.0.0.1:PORT/", "data:image/png;base64,AAAA", "unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "dict://127.0.0.1:PORT/", "jar:https://127.0.0.1:PORT!/", "ws://127.0.0.1:PORT/", "javascript:alert(1)", "ldap://127.0.0.1:PORT/", "",
}

// names are what the resolver of these tests says, one list after the other;
// the last one stays.
var names = map[string][][]string{
	"inner.example.net":    {{"127.0.0.1"}},
	"six.example.net":      {{"::1"}},
	"mapped.example.net":   {{"::ffff:127.0.0.1"}},
	"private.example.net":  {{"10.1.2.3"}},
	"metadata.example.net": {{"169.254.169.254"}},
	"mixed.example.net":    {{"127.0.0.1", "10.0.0.1", "::1"}},
	"rebind.example.net":   {{"93.184.215.14"}, {"127.0.0.1"}},
	"imgen.x.ai":           {{"93.184.215.14"}},
}

// resolver answers names without a network.
func resolver(t *testing.T) *net.Resolver {
	var mu sync.Mutex
	asked := map[string]int{}
	answer := func(q []byte) []byte {
		var m dnsmessage.Message
		if err := m.Unpack(q); err != nil || len(m.Questions) != 1 {
			t.Errorf("the question of a name: %v", err)
			return nil
		}
		question := m.Questions[0]
		name := strings.ToLower(strings.TrimSuffix(question.Name.String(), "."))
		mu.Lock()
		lists := names[name]
		var ips []string
		if len(lists) > 0 {
			ips = lists[min(asked[name]/2, len(lists)-1)] // A and AAAA are asked for each time
		}
		asked[name]++
		mu.Unlock()
		m.Response, m.RecursionAvailable, m.RCode = true, true, dnsmessage.RCodeSuccess
		m.Additionals = nil
		if ips == nil {
			m.RCode = dnsmessage.RCodeNameError
		}
		for _, s := range ips {
			ip := netip.MustParseAddr(s)
			head := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, Type: question.Type}
			switch {
			case ip.Is4() && question.Type == dnsmessage.TypeA:
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: ip.As4()}})
			case ip.Is6() && question.Type == dnsmessage.TypeAAAA:
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
			}
		}
		b, err := m.Pack()
		if err != nil {
			t.Error(err)
		}
		return b
	}
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe() // no packets, so a length goes before each message, as over TCP
		go func() {
			defer theirs.Close()
			for {
				var size [2]byte
				if _, err := io.ReadFull(theirs, size[:]); err != nil {
					return
				}
				q := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(theirs, q); err != nil {
					return
				}
				a := answer(q)
				theirs.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...))
			}
		}()
		return ours, nil
	}}
}

// bait listens on loopback, on one port of both families, and counts who comes.
func bait(t *testing.T) (port string, came *atomic.Int32) {
	t.Helper()
	came = new(atomic.Int32)
	listen := func(addr string) net.Listener {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Log(err) // no IPv6 here
			return nil
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				came.Add(1)
				c.Close()
			}
		}()
		return l
	}
	l := listen("127.0.0.1:0")
	if l == nil {
		t.FailNow()
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	listen("[::1]:" + port)
	return port, came
}

// abroad makes a maker whose endpoint is https://example.com, which h answers;
// nothing that is foreign gets further than the check of its address. passed
// are the addresses that the check lets through.
func abroad(t *testing.T, transport string, h http.HandlerFunc) (m *maker, passed func() []string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = transport == "grpc"
	s.StartTLS()
	t.Cleanup(s.Close)
	m, err := newMaker(provider.Config{Type: "xai", Endpoint: "https://example.com/v1", Transport: transport, Response: "url"},
		Options{Key: NewKey(canary), Trust: []string{"example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	m.tls.RootCAs = x509.NewCertPool()
	m.tls.RootCAs.AddCert(s.Certificate())
	m.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}
	m.anywhere = func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("this test has no proxy")
	}
	var mu sync.Mutex
	var list []string
	check := m.guarded.Control
	m.guarded.Resolver = resolver(t)
	m.guarded.Control = func(network, addr string, c syscall.RawConn) error {
		if err := check(network, addr, c); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		list = append(list, addr)
		return errors.New("a test connects to nobody")
	}
	return m, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return list
	}
}

// reply is one with a result at the URL, over either transport.
func reply(w http.ResponseWriter, r *http.Request, to string) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		answerGRPC(w, encode(field{1, []field{{3, to}, {4, 1}}}), 0, "")
		return
	}
	b, _ := json.Marshal(to)
	fmt.Fprintf(w, `{"data":[{"url":%s}]}`, b)
}

// TestInnerURLs: whatever a reply points to, nothing that is not on the Internet
// is connected to: not directly, not by a redirect, not by a name whose address
// changes, over either transport.
func TestInnerURLs(t *testing.T) {
	t.Parallel()
	if len(innerURLs) < 60 {
		t.Errorf("%d spellings", len(innerURLs))
	}
	port, came := bait(t)
	for _, transport := range []string{"rest", "grpc"} {
		var to string
		m, passed := abroad(t, transport, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" {
				w.Header()["Location"] = []string{to}
				w.WriteHeader(302)
				return
			}
			reply(w, r, to)
		})
		for _, spelling := range innerURLs {
			to = strings.ReplaceAll(spelling, "PORT", port)
			var s providertest.Recorder
			if _, err := m.Make(t.Context(), generate(1), &s); err == nil {
				to = s.Images[0].URL
			} else if e := asError(t, err); to != "" && (transport == "rest" || !strings.ContainsRune(to, 0)) {
				t.Errorf("%s: %q: the reply is refused: %v", transport, to, e)
			}
			for range 2 { // a name may lead elsewhere the second time
				err := m.Fetch(t.Context(), to, io.Discard)
				if e := asError(t, err); e.Kind != provider.Rejected && e.Kind != provider.NotSent {
					t.Errorf("%s: %q: %v", transport, to, e)
				}
			}
			err := m.Fetch(t.Context(), "https://example.com/result.png", io.Discard)
			if e := asError(t, err); e.Kind != provider.NotSent {
				t.Errorf("%s: a redirect to %q: %v", transport, to, e)
			}
		}
		for _, addr := range passed() {
			if !strings.HasPrefix(addr, "93.184.215.14:") {
				t.Errorf("%s: %s is let through", transport, addr)
			}
		}
		if len(passed()) == 0 {
			t.Errorf("%s: nothing is let through, so the test shows nothing", transport)
		}
	}
	if came.Load() != 0 {
		t.Errorf("%d connections", came.Load())
	}
}

// TestLoopbackIsNotPrivate: a loopback endpoint opens loopback, and nothing else.
func TestLoopbackIsNotPrivate(t *testing.T) {
	t.Parallel()
	m := mustMake(t, provider.Config{Endpoint: "http://127.0.0.1:1/v1"})
	m.guarded.Resolver = resolver(t)
	for _, to := range []string{
		"http://10.0.0.1/", "https://10.0.0.1/", "http://192.168.1.1/", "https://169.254.169.254/", "http://[fd00:ec2::254]/", "https://[64:ff9b::7f00:1]/",
		"http://private.example.net/", "https://private.example.net/", "http://metadata.example.net/", "http://imgen.x.ai/", "http://inner.example.net/",
	} {
		err := m.Fetch(t.Context(), to, io.Discard)
		if e := asError(t, err); e.Kind != provider.Rejected {
			t.Errorf("%s: %v", to, e)
		}
	}
}

// TestEndpointAddress: the provider's own name leads to a public address, over
// either transport and for what is free too. Where a host is that the user has
// named is the user's to say.
func TestEndpointAddress(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"rest", "grpc"} {
		for _, trust := range [][]string{nil, {"api.x.ai"}} {
			m, err := newMaker(provider.Config{Transport: transport}, Options{Key: NewKey(canary), Trust: trust})
			if err != nil {
				t.Fatal(err)
			}
			_, err = m.dial(t.Context(), "tcp", "127.0.0.1:1")
			if refused := errors.As(err, new(refusedURL)); refused != (trust == nil) {
				t.Errorf("%s, trusting %q: %v", transport, trust, err)
			}
			if trust != nil {
				continue
			}
			dial := m.dial
			m.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dial(ctx, network, "10.0.0.1:443")
			}
			var s providertest.Recorder
			_, err = m.Make(t.Context(), generate(1), &s)
			if e := asError(t, err); e.Kind != provider.Credentials || e.Hint != "if that is where it is: export IMGBUILD_TRUST_HOSTS=api.x.ai" || s.Count("sent") != 0 {
				t.Errorf("%s: %+v", transport, e)
			}
		}
	}
}

// passing is a proxy on loopback that connects to whatever it is asked for, or
// to the one server that to names.
type passing struct {
	server *httptest.Server
	to     string // "" for what is asked for

	mu      sync.Mutex
	asked   []string // "CONNECT host:port" or "GET URL"
	headers []http.Header
}

func (p *passing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.RequestURI)
	p.headers = append(p.headers, r.Header.Clone())
	p.mu.Unlock()
	if r.Header.Get("Proxy-Authorization") != "Basic dXNlcjpvcGVuLVNlc2FtZS05OTk=" { // user:open-Sesame-999
		w.Header().Set("X-Echo", r.Header.Get("Proxy-Authorization"))
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	if r.Method != http.MethodConnect {
		r.RequestURI = ""
		r.Header.Del("Proxy-Authorization")
		if p.to != "" {
			r.URL.Host = p.to
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
		return
	}
	to := p.to
	if to == "" {
		to = r.Host
	}
	far, err := net.Dial("tcp", to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	near, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		far.Close()
		return
	}
	io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { io.Copy(far, near); far.Close() }()
	io.Copy(near, far)
	near.Close()
}

func (p *passing) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.asked, "\n")
}

// through lets m ask through a new proxy, with or without TLS to it.
func through(t *testing.T, m *maker, scheme, user, to string) *passing {
	t.Helper()
	p := &passing{to: to}
	p.server = httptest.NewUnstartedServer(p)
	if scheme == "https" {
		p.server.StartTLS()
	} else {
		p.server.Start()
	}
	t.Cleanup(p.server.Close)
	u, err := url.Parse(strings.Replace(p.server.URL, "://", "://"+user, 1))
	if err != nil {
		t.Fatal(err)
	}
	m.proxies = func(*url.URL) (*url.URL, error) { return u, nil }
	m.anywhere = new(net.Dialer).DialContext
	m.secrets = nil
	if err := m.secretive(); err != nil {
		t.Fatal(err)
	}
	return p
}

const proxyUser = "user:open-Sesame-999@"

// TestProxy: paid calls over both transports, polls and downloads go through
// the proxy of the environment.
func TestProxy(t *testing.T) {
	t.Parallel()
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("the server gets what is for the proxy")
		}
		switch {
		case r.Method == "GET" && strings.HasSuffix(r.URL.Path, "image-generation-models"):
			io.WriteString(w, `{"models":[]}`)
		case r.Method == "GET":
			w.Write(aPNG)
		case r.Method == "POST":
			io.Copy(io.Discard, r.Body)
			if r.Header.Get("Authorization") != "Bearer "+canary {
				t.Error("the key does not arrive")
			}
			reply(w, r, "https://example.com/a.png")
		}
	}
	for _, transport := range []string{"rest", "grpc"} {
		for _, scheme := range []string{"http", "https"} {
			t.Run(transport+" "+scheme, func(t *testing.T) {
				t.Parallel()
				m, _ := abroad(t, transport, handler)
				conn, err := m.dial(t.Context(), "tcp", "")
				if err != nil {
					t.Fatal(err)
				}
				p := through(t, m, scheme, proxyUser, conn.RemoteAddr().String())
				conn.Close()
				if scheme == "https" {
					m.tls.RootCAs.AddCert(p.server.Certificate())
				}
				m.dial = func(context.Context, string, string) (net.Conn, error) {
					return nil, errors.New("not through the proxy")
				}
				var s providertest.Recorder
				if _, err := m.Make(t.Context(), generate(1), &s); err != nil {
					t.Fatal(err)
				}
				if err := m.Fetch(t.Context(), s.Images[0].URL, io.Discard); err != nil {
					t.Error(err)
				}
				if _, err := m.Catalogue(t.Context()); err != nil {
					t.Error(err)
				}
				if got := p.log(); !strings.HasPrefix(got, "CONNECT example.com:443\nCONNECT example.com:443") {
					t.Errorf("the proxy is asked for\n%s", got)
				}
				for _, h := range p.headers {
					if h.Get("Authorization") != "" {
						t.Error("the proxy gets the key")
					}
				}
			})
		}
	}
	t.Run("unencrypted", func(t *testing.T) {
		t.Parallel()
		s := httptest.NewServer(http.HandlerFunc(handler))
		defer s.Close()
		for _, transport := range []string{"rest", "grpc"} {
			m, err := newMaker(provider.Config{Type: "xai", Endpoint: "http://example.com/v1", Transport: transport}, Options{Trust: []string{"http://example.com"}, Key: NewKey(canary)})
			if err != nil {
				t.Fatal(err)
			}
			p := through(t, m, "http", proxyUser, s.Listener.Addr().String())
			_, err = m.Make(t.Context(), generate(1), &providertest.Recorder{})
			want := "POST http://example.com/v1/images/generations"
			if transport == "grpc" { // this server speaks no HTTP/2, but it is reached
				want = "CONNECT example.com:80"
			} else if err != nil {
				t.Error(err)
			}
			if got := p.log(); got != want {
				t.Errorf("the proxy is asked for %q, %v", got, err)
			}
		}
	})
	t.Run("loopback", func(t *testing.T) {
		t.Parallel()
		m, s := serve(t, provider.Config{}, handler)
		p := through(t, m, "http", proxyUser, "")
		if _, err := m.Make(t.Context(), generate(1), &providertest.Recorder{}); err != nil {
			t.Error(err)
		}
		if err := m.Fetch(t.Context(), s.URL+"/a.png", io.Discard); err != nil {
			t.Error(err)
		}
		if got := p.log(); got != "" {
			t.Errorf("the proxy is asked for %q", got)
		}
	})
}

// TestBadProxy: a proxy that fails costs nothing, and its password shows
// nowhere.
func TestBadProxy(t *testing.T) {
	t.Parallel()
	const secret = "Wrong-Sesame-777"
	for _, transport := range []string{"rest", "grpc"} {
		for name, tt := range map[string]struct {
			proxy string // "" for one that wants another password
			want  string
		}{
			"password":  {"", "407"},
			"nobody":    {"http://user:" + secret + "@127.0.0.1:1", "nobody listens at 127.0.0.1:1"},
			"no TLS":    {"https://user:" + secret + "@127.0.0.1:1", "nobody listens"},
			"SOCKS":     {"socks5://user:" + secret + "@127.0.0.1:1", "speaks socks5"},
			"many more": {"more", "more than it was asked"},
			"no HTTP":   {"garbage", "malformed"},
			"endless":   {"endless", "before the end"},
		} {
			t.Run(transport+" "+name, func(t *testing.T) {
				t.Parallel()
				m, _ := abroad(t, transport, func(http.ResponseWriter, *http.Request) { t.Error("the server is asked") })
				through(t, m, "http", "user:"+secret+"@", "")
				said := map[string]string{"more": "HTTP/1.1 200 OK\r\n\r\nhello", "garbage": "220 mail.example ESMTP " + secret + "\r\n", "endless": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat(secret, maxHead)}
				if text := said[tt.proxy]; text != "" {
					m.anywhere = func(context.Context, string, string) (net.Conn, error) {
						ours, theirs := net.Pipe()
						go func() {
							untilHead(theirs)
							io.WriteString(theirs, text)
							theirs.Close()
						}()
						return ours, nil
					}
				} else if tt.proxy != "" {
					u, err := url.Parse(tt.proxy)
					if err != nil {
						t.Fatal(err)
					}
					m.proxies = func(*url.URL) (*url.URL, error) { return u, nil }
				}
				var s providertest.Recorder
				_, err := m.Make(t.Context(), generate(1), &s)
				e := asError(t, err)
				if s.Count("sent") != 0 || e.Kind != provider.NotSent && e.Kind != provider.Credentials || !strings.Contains(e.Message, tt.want) {
					t.Errorf("%+v", e)
				}
				ferr := m.Fetch(t.Context(), "https://imgen.x.ai/a.png", io.Discard)
				if f := asError(t, ferr); f.Kind != provider.NotSent && f.Kind != provider.Rejected {
					t.Errorf("%+v", f)
				}
				_, cerr := m.Catalogue(t.Context())
				if name == "nobody" && asError(t, cerr).Message != "the proxy: nobody listens at 127.0.0.1:1" {
					t.Error(cerr)
				}
				for _, err := range []error{err, ferr, cerr} {
					if text := fmt.Sprintf("%+v %v", asError(t, err), err); strings.Contains(text, secret) {
						t.Errorf("the password is in %s", text)
					}
				}
			})
		}
	}
}

// TestInnerURLsThroughProxy: nothing that is known to be inside is asked of a
// proxy. A name that leads inside only where the proxy stands gets a
// connection, which nobody can see from here, but no request: what answers is
// not who it should be.
func TestInnerURLsThroughProxy(t *testing.T) {
	t.Parallel()
	port, came := bait(t)
	m, passed := abroad(t, "rest", func(http.ResponseWriter, *http.Request) {})
	p := through(t, m, "http", proxyUser, "127.0.0.1:1") // nobody is there: what passes is seen in the log
	for _, spelling := range innerURLs {
		err := m.Fetch(t.Context(), strings.ReplaceAll(spelling, "PORT", port), io.Discard)
		if e := asError(t, err); e.Kind != provider.Rejected && e.Kind != provider.NotSent {
			t.Errorf("%q: %v", spelling, e)
		}
	}
	for line := range strings.Lines(p.log()) {
		if !strings.HasPrefix(line, "CONNECT rebind.example.net:") { // the first time its address is public
			t.Errorf("the proxy is asked for %s", line)
		}
	}
	if len(passed()) > 0 || came.Load() > 0 {
		t.Errorf("%q passed, %d came", passed(), came.Load())
	}

	var asked atomic.Int32
	inner := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer inner.Close()
	m, _ = abroad(t, "rest", func(http.ResponseWriter, *http.Request) {})
	p = through(t, m, "http", proxyUser, inner.Listener.Addr().String())
	m.tls.RootCAs.AddCert(inner.Certificate()) // for its own name, which is not the one that is asked for
	err := m.Fetch(t.Context(), "https://rebind.example.net/", io.Discard)
	if e := asError(t, err); e.Kind != provider.NotSent || asked.Load() != 0 || p.log() != "CONNECT rebind.example.net:443" {
		t.Errorf("%v; %d requests; the proxy is asked for %q", e, asked.Load(), p.log())
	}
}
