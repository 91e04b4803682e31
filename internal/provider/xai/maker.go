package xai

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/imgbuild/imgbuild/internal/provider"
)

// Builtin is the endpoint of xAI itself.
const Builtin = "https://api.x.ai/v1"

const (
	userAgent = "imgbuild"

	dialTime  = 10 * time.Second // and as long again for TLS
	firstByte = 10 * time.Minute // of the reply; drawing takes seconds, a queue minutes
	idleTime  = 60 * time.Second // between two pieces of the reply
	replyTime = 20 * time.Minute // for all of them: a drip must not hold a run for ever
	maxImage  = 64 << 20         // bytes of one picture, inline or downloaded
)

// Options are what the configuration must not decide.
type Options struct {
	Key Key

	// Trust lists hosts outside of the built-in one and loopback that may get
	// the key: "host" or "host:port" over https, "http://host[:port]" to allow
	// it in the clear.
	Trust []string

	// Proxy is the proxy for a URL, nil for none; nil asks directly.
	Proxy func(*url.URL) (*url.URL, error)

	// Now is the clock against which a Retry-After date is measured when the
	// reply has no Date of its own.
	Now func() time.Time
}

type maker struct {
	cfg      provider.Config
	key      Key
	secrets  []Key // it, and the password of a proxy: what no text may show
	now      func() time.Time
	endpoint *url.URL
	loopback bool
	maxImage int64
	dial     func(ctx context.Context, network, addr string) (net.Conn, error) // to the endpoint
	tls      *tls.Config
	fetches  *http.Transport
	fars     *http.Transport // the same through a proxy
	proxies  func(*url.URL) (*url.URL, error)
	guarded  *net.Dialer                                                       // to what is foreign
	anywhere func(ctx context.Context, network, addr string) (net.Conn, error) // to a proxy
	offers   []provider.Offer
}

// New makes a maker for cfg. It fails with a *provider.Error of kind
// Credentials if the endpoint may not get the key.
func New(cfg provider.Config, o Options) (provider.Maker, error) { return newMaker(cfg, o) }

func newMaker(cfg provider.Config, o Options) (*maker, error) {
	endpoint, err := url.Parse(cmp.Or(cfg.Endpoint, Builtin))
	switch {
	case err != nil, endpoint.Host == "", endpoint.Scheme != "http" && endpoint.Scheme != "https":
		return nil, refuse(`its endpoint is not a URL`, `write it as endpoint = "https://host/v1"`)
	case endpoint.User != nil, endpoint.RawQuery != "", endpoint.Fragment != "":
		return nil, refuse(`its endpoint has a user, a query or a fragment`, `write it as endpoint = "https://host/v1"`)
	}
	loopback := isLoopback(endpoint.Hostname())
	if !loopback && !trusted(endpoint, o.Trust) {
		entry := endpoint.Host
		if endpoint.Scheme == "http" {
			entry = "http://" + entry
		}
		return nil, refuse(fmt.Sprintf("its endpoint %s is not a host that may get the key", entry),
			"if you trust it: export IMGBUILD_TRUST_HOSTS="+entry)
	}
	if !o.Key.sendable() {
		return nil, refuse("its key contains white space, a control or a non-ASCII character", "copy the key again")
	}
	endpoint.Path = strings.TrimSuffix(endpoint.Path, "/")
	m := &maker{cfg: cfg, key: o.Key, now: o.Now, endpoint: endpoint, loopback: loopback, maxImage: maxImage, proxies: o.Proxy}
	m.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	if err := m.secretive(); err != nil {
		return nil, err
	}
	m.anywhere = (&net.Dialer{Timeout: dialTime}).DialContext
	d := &net.Dialer{Timeout: dialTime}
	switch {
	case loopback: // a name such as localhost must not lead elsewhere
		d.Control = onlyDial(netip.Addr.IsLoopback)
	case !lists(o.Trust, endpoint): // where a host that the user named may be is theirs to say
		d.Control = onlyDial(public)
	}
	m.dial = d.DialContext
	m.guarded = &net.Dialer{Timeout: dialTime, Control: onlyDial(func(ip netip.Addr) bool {
		return public(ip) || loopback && ip.IsLoopback()
	})}
	m.fetches, m.fars = m.fetchTransport(), m.farTransport()
	m.offers = Offers(cfg)
	return m, nil
}

// secretive gathers what no text may show.
func (m *maker) secretive() error {
	if !m.key.IsZero() {
		m.secrets = append(m.secrets, m.key)
	}
	p, err := m.proxyOf(m.endpoint)
	if err != nil {
		return refuse("it can't be asked: "+err.Error(), "export HTTPS_PROXY=http://host:port")
	}
	if p != nil && p.User != nil {
		if password, ok := p.User.Password(); ok && password != "" {
			m.secrets = append(m.secrets, NewKey(password))
		}
		m.secrets = append(m.secrets, NewKey(strings.TrimPrefix(basicAuth(p), "Basic ")))
	}
	return nil
}

// refuse is an error before anything is sent. No retry helps.
func refuse(text, hint string) *provider.Error {
	return &provider.Error{Kind: provider.Credentials, Message: "xai: " + text, Hint: hint}
}

// Local reports whether the endpoint of cfg is this machine.
func Local(cfg provider.Config) bool {
	u, err := url.Parse(cfg.Endpoint)
	return err == nil && isLoopback(u.Hostname())
}

// Foreign reports whether the endpoint of cfg is neither the provider's own nor
// loopback.
func Foreign(cfg provider.Config) bool {
	u, err := url.Parse(cmp.Or(cfg.Endpoint, Builtin))
	return err != nil || !isLoopback(u.Hostname()) && !trusted(u, nil)
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func trusted(endpoint *url.URL, trust []string) bool {
	if endpoint.Scheme == "https" && strings.EqualFold(endpoint.Hostname(), "api.x.ai") {
		return true
	}
	return lists(trust, endpoint)
}

// lists reports whether trust has the host of endpoint.
func lists(trust []string, endpoint *url.URL) bool {
	return slices.ContainsFunc(trust, func(t string) bool {
		t, clear := strings.CutPrefix(t, "http://")
		t = strings.TrimPrefix(t, "https://")
		return (clear || endpoint.Scheme == "https") && t != "" &&
			(strings.EqualFold(t, endpoint.Host) || strings.EqualFold(t, endpoint.Hostname()))
	})
}

// asPage reports whether requests are written as the published page has them.
func (m *maker) asPage() bool { return m.cfg.Wire == "documented" && m.cfg.Transport != "grpc" }

func (m *maker) Offer(model string) (provider.Offer, bool) { return named(m.offers, model) }

// ready is why nothing can be asked.
func (m *maker) ready(ctx context.Context) error {
	if m.key.IsZero() && !m.loopback && ctx.Err() == nil {
		return NoKey()
	}
	return ctx.Err()
}

// NoKey is the error of a call that would need a key.
func NoKey() *provider.Error {
	return &provider.Error{Kind: provider.Credentials, Message: "no key", Hint: giveKey}
}

func (m *maker) Make(ctx context.Context, r *provider.Request, s provider.Sink) (reply provider.Reply, err error) {
	s = discreet{s, m}
	defer func() { m.hush(&reply, err) }()
	if err := m.ready(ctx); err != nil {
		return provider.Reply{}, err
	}
	offer, ok := m.Offer(r.Model)
	if !ok {
		return provider.Reply{}, &provider.Error{Kind: provider.Rejected, Message: fmt.Sprintf("xai: no model %q", r.Model), Hint: "imgbuild models lists the models"}
	}
	if err := m.check(r, &offer); err != nil {
		return provider.Reply{}, err
	}
	if m.cfg.Transport == "grpc" {
		return m.makeGRPC(ctx, r, &offer, s)
	}
	call := m.encode(r, &offer)
	conn, err := m.open(ctx, s)
	if err != nil {
		return provider.Reply{}, err
	}
	defer conn.Close()

	// From here on only a complete answer makes it clear whether this is billed.
	resp, stop, err := m.post(ctx, conn, call)
	defer stop()
	if err != nil {
		return provider.Reply{}, m.failed(provider.InDoubt, fmt.Errorf("no answer: %w", err))
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return provider.Reply{}, m.refusal(resp)
	}
	a, err := m.read(resp, r.N, s)
	if err != nil {
		return provider.Reply{}, err
	}
	if a.err != nil || len(a.images) > 0 || a.jobID == "" || a.failed() || a.jobStatus == "done" {
		return m.deliver(a, r, &offer, s)
	}
	// An id without pictures is a job, whatever else stands beside it.
	if m.repeats(a.jobID) {
		return provider.Reply{}, &provider.Error{Kind: provider.InDoubt, Message: "the id of its job repeats the key, and must not be written down"}
	}
	if err := s.Accepted(a.jobID); err != nil {
		return provider.Reply{}, fmt.Errorf("xai: %w", err)
	}
	return m.poll(ctx, a.jobID, firstPoll, whileSent, r, &offer, s)
}

// open connects and tells the sink that the request is about to be sent.
func (m *maker) open(ctx context.Context, s provider.Sink) (net.Conn, error) {
	conn, err := m.connect(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, new(refusedURL)):
		return nil, refuse("its endpoint can't be asked: "+err.Error(), "if that is where it is: export IMGBUILD_TRUST_HOSTS="+m.endpoint.Host)
	case err != nil:
		return nil, m.failed(provider.NotSent, err)
	}
	if err := s.Sent(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("xai: not sent: %w", err)
	}
	return conn, nil
}

// connect opens the one connection that a call may use.
func (m *maker) connect(ctx context.Context) (net.Conn, error) {
	p, err := m.proxyOf(m.endpoint)
	if err != nil {
		return nil, err
	}
	var conn net.Conn
	switch {
	case p == nil:
		conn, err = m.dial(ctx, "tcp", withPort(m.endpoint))
	case m.throughPlain():
		return m.dialProxy(ctx, p)
	default:
		conn, err = m.tunnel(ctx, p)
	}
	if err != nil || m.endpoint.Scheme == "http" {
		return conn, err
	}
	protocol := ""
	if m.cfg.Transport == "grpc" {
		protocol = "h2"
	}
	return m.secure(ctx, conn, m.endpoint.Hostname(), protocol)
}

// throughPlain reports whether a proxy gets requests to the endpoint to pass
// on, as is usual for http, instead of a tunnel.
func (m *maker) throughPlain() bool {
	return m.endpoint.Scheme == "http" && m.cfg.Transport != "grpc"
}

// call is an encoded request.
type call struct {
	path, contentType string
	body              []byte
}

// post sends c over conn and returns the head of the answer. Its body ends
// with an error if nothing arrives for idleTime. stop must be called.
func (m *maker) post(ctx context.Context, conn net.Conn, c call) (resp *http.Response, stop func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop = func() { cancel(nil) }
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.endpoint.String()+c.path, newUpload(c.body))
	if err != nil {
		return nil, stop, err
	}
	req.ContentLength = int64(len(c.body)) // and GetBody stays nil: nothing can send the body twice
	req.Header = m.header()
	req.Header.Set("Content-Type", c.contentType)

	sending := time.AfterFunc(2*firstByte, func() { cancel(errIdle) })
	defer sending.Stop()
	// RoundTrip, not a Client: no redirects and no cookies.
	resp, err = m.oneShot(conn).RoundTrip(req)
	if err != nil {
		return nil, stop, err
	}
	resp.Body = watch(resp.Body, idleTime, cancel)
	return resp, stop, nil
}

// oneShot is a transport that has conn and can't get another one.
func (m *maker) oneShot(conn net.Conn) *http.Transport {
	once := make(chan net.Conn, 1)
	once <- conn
	use := func(context.Context, string, string) (net.Conn, error) {
		select {
		case c := <-once:
			return c, nil
		default:
			return nil, errors.New("a paid request has only one connection")
		}
	}
	t := &http.Transport{
		DialContext:            use,
		DialTLSContext:         use,
		Protocols:              m.protocols(),
		DisableKeepAlives:      true,
		DisableCompression:     true,
		ResponseHeaderTimeout:  firstByte,
		MaxResponseHeaderBytes: maxHead,
	}
	if m.throughPlain() {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return m.proxyOf(r.URL) }
	}
	return t
}

// protocols is HTTP/1 for REST and HTTP/2, if need be without TLS, for gRPC.
func (m *maker) protocols() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(m.cfg.Transport != "grpc")
	p.SetHTTP2(m.cfg.Transport == "grpc")
	p.SetUnencryptedHTTP2(m.cfg.Transport == "grpc")
	return &p
}

// header is that of every request to the endpoint.
func (m *maker) header() http.Header {
	h := http.Header{"Accept": {"application/json"}, "User-Agent": {userAgent}}
	if !m.key.IsZero() {
		h.Set("Authorization", "Bearer "+(*m.key.secret).text)
	}
	return h
}

// newUpload hides what http.NewRequest would look for to make GetBody.
func newUpload(b []byte) io.ReadCloser {
	return io.NopCloser(struct{ io.Reader }{bytes.NewReader(b)})
}

// watched ends a body that stalls, or that drips for longer than replyTime.
type watched struct {
	io.ReadCloser
	timer, end *time.Timer
	idle       time.Duration
}

var (
	errIdle = errors.New("nothing came for too long")
	errSlow = errors.New("it came too slowly")
)

func watch(body io.ReadCloser, idle time.Duration, cancel context.CancelCauseFunc) io.ReadCloser {
	stop := func(why error) func() { return func() { cancel(why); body.Close() } }
	return &watched{body, time.AfterFunc(idle, stop(errIdle)), time.AfterFunc(replyTime, stop(errSlow)), idle}
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if n > 0 {
		w.timer.Reset(w.idle)
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	w.end.Stop()
	return w.ReadCloser.Close()
}

// failed is a call that broke off.
func (m *maker) failed(k provider.Kind, err error) *provider.Error {
	e := &provider.Error{Kind: k, Message: m.clip(strings.ReplaceAll(plainly(err), context.Canceled.Error(), "the run was abandoned"))}
	if errors.Is(err, syscall.ECONNREFUSED) && m.loopback {
		e.Hint = "is imgbuild emulate running there?"
	}
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		e.Hint = "ulimit -n 1024, or a smaller -parallelism"
	}
	return e
}

// plainly says in words what the network's errors say in addresses.
func plainly(err error) string {
	var op *net.OpError
	var name *net.DNSError
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the proxy: " + plainly(op.Err)
	case errors.Is(err, syscall.ECONNREFUSED) && errors.As(err, &op) && op.Addr != nil:
		return "nobody listens at " + op.Addr.String()
	case errors.As(err, &op) && (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)):
		return "too many files are open to connect"
	case errors.As(err, &name):
		return "there is no host " + name.Name + " (" + name.Err + ")"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return "the connection broke"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection was closed before the end"
	}
	return err.Error()
}

// clip bounds foreign text and takes secrets out of it.
func (m *maker) clip(s string) string {
	for _, k := range m.secrets {
		s = k.redact(s)
	}
	const most = 1000
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
