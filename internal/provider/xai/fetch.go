package xai

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/imgbuild/imgbuild/internal/provider"
)

const (
	fetchTime = 5 * time.Minute
	fetchIdle = 30 * time.Second

	// A download that brings less than paceLeast bytes in each paceTime has
	// stalled, whatever it drips. A paid reply has no such bound: a server may
	// send blanks while it draws, and to end that would leave it in doubt.
	paceTime  = time.Minute
	paceLeast = 60 << 10
)

// Fetch downloads a result into w. What was written before an error is a
// prefix of the picture.
func (m *maker) Fetch(ctx context.Context, rawURL string, w io.Writer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	total := time.AfterFunc(fetchTime, func() { cancel(errors.New("the download took too long")) })
	defer total.Stop()

	resp, err := m.get(ctx, rawURL)
	if err != nil {
		return m.fetchFailed(outer, ctx, err)
	}
	resp.Body = watch(resp.Body, fetchIdle, cancel)
	pace := &pace{ReadCloser: resp.Body}
	pace.timer = time.AfterFunc(paceTime, func() { pace.check(cancel) })
	defer pace.timer.Stop()
	resp.Body = pace
	defer resp.Body.Close()
	switch code := resp.StatusCode; {
	case code == 403 || code == 404 || code == 410:
		return &provider.Error{Kind: provider.Unusable, Status: code, Message: "the picture is gone from its URL"}
	case code == 429:
		return &provider.Error{Kind: provider.RateLimited, Status: code, RetryAfter: m.retryAfter(resp.Header)}
	case code >= 500 || code == 408:
		return &provider.Error{Kind: provider.NotSent, Status: code, Message: "the server of the picture failed", RetryAfter: m.retryAfter(resp.Header)}
	case code != 200:
		return &provider.Error{Kind: provider.Rejected, Status: code, Message: "the URL of the picture answers with something else"}
	}
	n, err := io.Copy(w, writerErrors{io.LimitReader(resp.Body, m.maxImage+1)})
	var read readError
	switch {
	case errors.As(err, &read):
		return m.fetchFailed(outer, ctx, read.error)
	case err != nil:
		return fmt.Errorf("xai: fetch: %w", err)
	case n > m.maxImage:
		return &provider.Error{Kind: provider.Unusable, Status: 200, Message: fmt.Sprintf("the picture is longer than %d bytes", m.maxImage)}
	}
	return nil
}

// pace ends a body that drips.
type pace struct {
	io.ReadCloser
	timer *time.Timer
	came  atomic.Int64
}

func (p *pace) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	p.came.Add(int64(n))
	return n, err
}

func (p *pace) check(cancel context.CancelCauseFunc) {
	if p.came.Swap(0) < paceLeast {
		cancel(errSlow)
		p.ReadCloser.Close()
		return
	}
	p.timer.Reset(paceTime)
}

// readError tells a failing download from a failing disk.
type readError struct{ error }

type writerErrors struct{ r io.Reader }

func (r writerErrors) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		err = readError{err}
	}
	return n, err
}

// refusedURL is a URL that must not be asked; it never gets better.
type refusedURL string

func (r refusedURL) Error() string { return string(r) }

func (m *maker) fetchFailed(outer, ctx context.Context, err error) error {
	if outer.Err() != nil {
		return outer.Err()
	}
	var refused refusedURL
	if errors.As(err, &refused) {
		return &provider.Error{Kind: provider.Rejected, Message: m.clip(refused.Error())}
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return m.failed(provider.NotSent, err)
}

// get asks for a URL and follows no redirect: results lie where the reply says
// (the service's own SDK refuses redirects too), and each hop would be one more
// foreign wish.
func (m *maker) get(ctx context.Context, rawURL string) (*http.Response, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, refusedURL("the URL of the picture can't be read")
	}
	if err := m.checkURL(u); err != nil {
		return nil, err
	}
	req := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{"User-Agent": {userAgent}}}).WithContext(ctx)
	resp, err := m.roundTrip(req)
	if err == nil && resp.StatusCode/100 == 3 {
		resp.Body.Close()
		// Only the way to it failed: it is paid for, so it stays to be fetched.
		return nil, fmt.Errorf("the URL of the picture redirects to %s, which is not followed", cmp.Or(resp.Header.Get("Location"), "nowhere"))
	}
	return resp, err
}

func (m *maker) checkURL(u *url.URL) error {
	switch {
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return refusedURL("the URL of the picture is not https")
	case u.User != nil:
		return refusedURL("the URL of the picture has a user")
	case u.Scheme == "http" && !m.own(u) && !(m.loopback && isLoopback(u.Hostname())):
		return refusedURL(fmt.Sprintf("the URL of the picture is not https: http://%s", u.Host))
	}
	return nil
}

// own reports whether u is at the endpoint's origin: that has had the request
// and the key, so its address and scheme are as the user wants them.
func (m *maker) own(u *url.URL) bool {
	return u.Scheme == m.endpoint.Scheme && strings.EqualFold(u.Host, m.endpoint.Host)
}

// roundTrip asks for what is free: directly, or through the proxy for it. It
// follows no redirect.
func (m *maker) roundTrip(req *http.Request) (*http.Response, error) {
	p, err := m.proxyOf(req.URL)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return m.fetches.RoundTrip(req)
	}
	if !m.own(req.URL) {
		if err := m.far(req.Context(), req.URL.Hostname()); err != nil {
			return nil, err
		}
	}
	return m.fars.RoundTrip(req)
}

func (m *maker) fetchTransport() *http.Transport {
	own := withPort(m.endpoint)
	t := m.transport()
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.EqualFold(addr, own) {
			return m.dial(ctx, network, addr)
		}
		return m.guarded.DialContext(ctx, network, addr)
	}
	return t
}

// transport is what is common to what is asked for free.
func (m *maker) transport() *http.Transport {
	return &http.Transport{
		TLSClientConfig:        m.tls,
		TLSHandshakeTimeout:    dialTime,
		ResponseHeaderTimeout:  fetchIdle,
		IdleConnTimeout:        fetchIdle,
		MaxIdleConnsPerHost:    m.cfg.Parallelism, // else all but two of the jobs under way would dial for each poll
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHead,
	}
}

// onlyDial makes the check of a net.Dialer: it sees the address that is dialled,
// after all names and spellings are resolved.
func onlyDial(ok func(netip.Addr) bool) func(network, addr string, _ syscall.RawConn) error {
	return func(_, addr string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(addr)
		if err != nil || !ok(ap.Addr().Unmap()) {
			return refusedURL(fmt.Sprintf("the address %s is not one to connect to", addr))
		}
		return nil
	}
}

// notPublic are the blocks that are not somebody's server on the Internet
// (IANA special-purpose registries), or that carry an IPv4 address inside, by
// which such a block can be reached.
var notPublic = func() (out []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
		"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"168.63.129.16/32", // the metadata service of Azure
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
		"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

var globalUnicast = netip.MustParsePrefix("2000::/3")

// public reports whether ip may be asked for a picture.
func public(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() || ip.Is6() && !globalUnicast.Contains(ip) {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}
