package xai

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// maxHead is of the head of an answer, in bytes.
const maxHead = 64 << 10

// proxyOf is the proxy for u, nil for none. Loopback is never asked through
// one.
func (m *maker) proxyOf(u *url.URL) (*url.URL, error) {
	if m.proxies == nil || isLoopback(u.Hostname()) {
		return nil, nil
	}
	p, err := m.proxies(u)
	switch {
	case err != nil:
		return nil, refusedURL("the proxy of the environment can't be read as a URL") // err would quote it, with its password
	case p != nil && p.Scheme != "http" && p.Scheme != "https":
		return nil, refusedURL("the proxy speaks " + p.Scheme + ", and only http and https are spoken here")
	}
	return p, nil
}

// dialProxy connects to a proxy, which may be anywhere: the user named it.
func (m *maker) dialProxy(ctx context.Context, p *url.URL) (net.Conn, error) {
	conn, err := m.anywhere(ctx, "tcp", withPort(p))
	if err != nil {
		return nil, fmt.Errorf("the proxy: %w", err)
	}
	if p.Scheme == "https" {
		conn, err = m.secure(ctx, conn, p.Hostname(), "http/1.1")
	}
	return conn, err
}

// tunnel is a connection to the endpoint through a proxy, which sees its name
// and nothing of what is said, if that is over TLS.
func (m *maker) tunnel(ctx context.Context, p *url.URL) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, dialTime, errors.New("the proxy does not answer"))
	defer cancel()
	conn, err := m.dialProxy(ctx, p)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	addr := withPort(m.endpoint)
	head := http.Header{"User-Agent": {userAgent}}
	if basic := basicAuth(p); basic != "" {
		head.Set("Proxy-Authorization", basic)
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: head}
	err = req.Write(conn)
	if err == nil {
		in := bufio.NewReader(io.LimitReader(conn, maxHead))
		var resp *http.Response
		resp, err = http.ReadResponse(in, req)
		switch {
		case err != nil:
		case resp.StatusCode != http.StatusOK:
			err = fmt.Errorf("the proxy answers %s", resp.Status)
		case in.Buffered() > 0:
			err = errors.New("the proxy answers more than it was asked")
		}
	}
	if !stop() { // it is closed
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// basicAuth is the header for the user in the URL of a proxy, "" for none.
func basicAuth(p *url.URL) string {
	if p.User == nil {
		return ""
	}
	password, _ := p.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(p.User.Username()+":"+password))
}

// withPort is the address to dial for u.
func withPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

// farTransport downloads through a proxy. It dials nothing else.
func (m *maker) farTransport() *http.Transport {
	t := m.transport()
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		p, err := m.proxyOf(r.URL)
		if err == nil && p == nil {
			err = errors.New("there is no proxy")
		}
		return p, err
	}
	t.DialContext = m.anywhere
	return t
}

// local are the ends of names that no public server has.
var local = []string{".localhost", ".local", ".localdomain", ".internal", ".intranet", ".lan", ".home", ".corp", ".private", ".home.arpa", ".onion"}

// far reports why a proxy must not be asked for a host. The proxy resolves the
// name again and connects from where it stands, which nobody can check from
// here; so what is known here is refused before, and as the URL is https, what
// answers must prove the name before anything is asked of it.
func (m *maker) far(ctx context.Context, host string) error {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	inner := refusedURL(fmt.Sprintf("the host %s is not one to connect to", name))
	if ip, err := netip.ParseAddr(name); err == nil {
		if !public(ip) || ip.Zone() != "" {
			return inner
		}
		return nil
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}):
		return inner // what is more than ASCII is another name after it is mapped
	case !strings.Contains(name, "."), last == "", last[0] >= '0' && last[0] <= '9': // no name ends in a number, but 127.1 and 0x7f.1 do
		return inner
	}
	for _, end := range local {
		if strings.HasSuffix(name, end) {
			return inner
		}
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime/2)
	defer cancel()
	ips, err := m.guarded.Resolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil // behind a proxy there may be no other way to know
	}
	for _, ip := range ips {
		if !public(ip) {
			return inner
		}
	}
	return nil
}

// secure speaks TLS over conn.
func (m *maker) secure(ctx context.Context, conn net.Conn, name, protocol string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	cfg := m.tls.Clone()
	cfg.ServerName = name
	if protocol != "" {
		cfg.NextProtos = []string{protocol}
	}
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}
