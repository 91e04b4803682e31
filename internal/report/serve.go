package report

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Review serves the pages of a review to the browser of one person on this
// machine. Whoever has not the token gets nothing; what no page shows is not
// served.
type Review struct {
	// Load gives the pages as the project is now.
	Load func(context.Context) (*Sheet, Shown, *Run, error)
	// State changes whenever Load would give something else. It is asked for often.
	State func() string
	// Pick and Approve carry out a choice and tell about it. Both are nil where
	// nobody may choose.
	Pick    func(ctx context.Context, a spec.Address, number int) (string, error)
	Approve func(ctx context.Context, a Approving) (string, error)

	Now  func() time.Time
	Host string // host:port where it is served

	token string
	csrf  string

	mu     sync.Mutex
	pages  *Pages
	shows  map[digest.Content]bool
	loaded time.Time
	told   string
}

// Shown are pictures with all their pixels.
type Shown interface {
	Pictures
	// Full is the file of a picture and its media type; nil for one that is not
	// here or that is no picture.
	Full(c digest.Content) (b []byte, mediaType string)
}

// Approving is what somebody says of a picture that he saw.
type Approving struct {
	Address spec.Address
	Content digest.Content // that was seen
	Note    string
	Revoke  bool
}

// NewReview makes the secrets of a review that is served at host, such as
// 127.0.0.1:8123.
func NewReview(host string, now func() time.Time) *Review {
	return &Review{Host: host, Now: now, token: rand.Text(), csrf: rand.Text()}
}

// URL is the address for the one who started it: it opens the door.
func (r *Review) URL() string { return "http://" + r.Host + "/?token=" + r.token }

// cookie is the name of the one that holds the token. Cookies are shared by all
// ports of a host.
func (r *Review) cookie() string {
	_, port, _ := strings.Cut(r.Host, ":")
	return "imgbuild-" + port
}

const policy = "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm is the bytes of a form.
const maxForm = 16 << 10

// ServeHTTP is that of http.Handler.
func (r *Review) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with none, the Origin of a form would be null
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	_, port, _ := strings.Cut(r.Host, ":")
	switch {
	case q.Host != r.Host && q.Host != "localhost:"+port:
		// A name that somebody made point here, to speak with us from his page.
		refuse(w, http.StatusMisdirectedRequest, "This is not "+r.Host+".")
		return
	case q.Header.Get("Origin") != "" && q.Header.Get("Origin") != "http://"+q.Host:
		refuse(w, http.StatusForbidden, "Another page asked for this.")
		return
	case q.Method == http.MethodGet && q.URL.Path == "/" && q.URL.Query().Has("token"):
		if !same(q.URL.Query().Get("token"), r.token) {
			refuse(w, http.StatusForbidden, "The token is another one: open the address that imgbuild review shows.")
			return
		}
		http.SetCookie(w, &http.Cookie{Name: r.cookie(), Value: r.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		http.Redirect(w, q, "/", http.StatusSeeOther)
		return
	}
	if c, err := q.Cookie(r.cookie()); err != nil || !same(c.Value, r.token) {
		refuse(w, http.StatusForbidden, "Open the address that imgbuild review shows in the terminal.")
		return
	}
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		r.get(w, q)
	case http.MethodPost:
		r.post(w, q)
	default:
		h.Set("Allow", "GET, HEAD, POST")
		refuse(w, http.StatusMethodNotAllowed, "There are only pages and forms here.")
	}
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, diag.Clean(text))
}

func (r *Review) get(w http.ResponseWriter, q *http.Request) {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(q.URL.Path, "/"), "/")
	switch {
	case q.URL.Path == "/favicon.ico":
		w.WriteHeader(http.StatusNoContent) // browsers ask for one
	case q.URL.Path == "/style.css":
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write([]byte(style))
	case q.URL.Path == "/script.js":
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write([]byte(script))
	case q.URL.Path == "/state":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(r.State()))
	case kind == "picture", kind == "thumb":
		r.picture(w, kind, rest)
	case q.URL.Path == "/mask":
		r.mask(w, q)
	case q.URL.Path == "/":
		r.page(w, q, func(p *Pages, b *bytes.Buffer) error { return p.Overview(b) })
	case q.URL.Path == "/image":
		r.page(w, q, func(p *Pages, b *bytes.Buffer) error { return p.Image(b, q.URL.Query().Get("address")) })
	case q.URL.Path == "/preset":
		r.page(w, q, func(p *Pages, b *bytes.Buffer) error { return p.Preset(b, q.URL.Query().Get("name")) })
	default:
		refuse(w, http.StatusNotFound, "There is no such page.")
	}
}

// fresh is how old pages may be that are shown to somebody who asks for one.
const fresh = 10 * time.Second

// current are the pages as the project is now, or was a moment ago.
func (r *Review) current(ctx context.Context) (*Pages, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	state := r.State()
	if r.pages == nil || r.pages.State != state || r.Now().Sub(r.loaded) > fresh {
		sheet, shown, run, err := r.Load(ctx)
		if err != nil {
			return nil, err
		}
		r.pages, r.shows, r.loaded = &Pages{Sheet: sheet, Pictures: shown, Run: run, State: state}, sheet.Shows(), r.Now()
		if r.Pick != nil {
			r.pages.CSRF = r.csrf
		}
	}
	return r.pages, nil
}

func (r *Review) page(w http.ResponseWriter, q *http.Request, write func(*Pages, *bytes.Buffer) error) {
	pages, err := r.current(q.Context())
	if err != nil {
		r.broken(w, err)
		return
	}
	p := *pages
	r.mu.Lock()
	p.Told, r.told = r.told, ""
	r.mu.Unlock()
	var b bytes.Buffer
	if err := write(&p, &b); errors.Is(err, ErrNoPage) {
		refuse(w, http.StatusNotFound, "There is no such page.")
		return
	} else if err != nil {
		r.broken(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// broken tells why there is no page, on one that goes on following.
func (r *Review) broken(w http.ResponseWriter, err error) {
	p := &Pages{Sheet: &Sheet{}, State: r.State()}
	d := p.data("Error")
	for line := range strings.Lines(err.Error()) {
		d.Name += diag.Clean(strings.TrimSuffix(line, "\n")) + "\n"
	}
	var b bytes.Buffer
	if err := p.write(&b, d, "error"); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = w.Write(b.Bytes())
}

// shown reports whether a page shows a picture, and finds it.
func (r *Review) shown(c digest.Content) (Shown, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pages == nil || !r.shows[c] {
		return nil, false
	}
	return r.pages.Pictures.(Shown), true
}

func (r *Review) picture(w http.ResponseWriter, kind, name string) {
	c, err := digest.ParseContent(name)
	if err != nil {
		refuse(w, http.StatusNotFound, "There is no such picture.")
		return
	}
	pictures, ok := r.shown(c)
	if !ok {
		refuse(w, http.StatusNotFound, "There is no such picture.")
		return
	}
	var b []byte
	var mediaType string
	if kind == "thumb" {
		b, mediaType = pictures.Small(c, Thumb)
	}
	if b == nil { // one that a browser can read, perhaps, and we can't
		b, mediaType = pictures.Full(c)
	}
	w.Header().Set("Cache-Control", "private, max-age=86400, immutable") // its name is its content
	send(w, b, mediaType)
}

func send(w http.ResponseWriter, b []byte, mediaType string) {
	if b == nil {
		w.Header().Set("Cache-Control", "no-store")
		refuse(w, http.StatusNotFound, "There is no such picture.")
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = w.Write(b)
}

func (r *Review) mask(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	pages := r.pages
	r.mu.Unlock()
	address := q.URL.Query().Get("address")
	if pages == nil || !pages.Sheet.has(address) {
		refuse(w, http.StatusNotFound, "There is no such picture.")
		return
	}
	m := pages.Pictures.Mask(spec.Address(address))
	if m == nil {
		refuse(w, http.StatusNotFound, "There is no mask.")
		return
	}
	send(w, m.Veil, "image/png")
}

func (r *Review) post(w http.ResponseWriter, q *http.Request) {
	if r.Pick == nil {
		refuse(w, http.StatusForbidden, "Nothing can be chosen here: imgbuild review -approve.")
		return
	}
	if q.Header.Get("Origin") == "" {
		refuse(w, http.StatusForbidden, "Nobody knows which page asked for this.")
		return
	}
	if t, _, err := mime.ParseMediaType(q.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		refuse(w, http.StatusUnsupportedMediaType, "This is no form.")
		return
	}
	q.Body = http.MaxBytesReader(w, q.Body, maxForm)
	if err := q.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "The form can't be read.")
		return
	}
	if !same(q.PostForm.Get("csrf"), r.csrf) {
		refuse(w, http.StatusForbidden, "The form is of another run of imgbuild review: load the page again.")
		return
	}
	address := q.PostForm.Get("address")
	var told string
	var err error
	switch q.URL.Path {
	case "/pick":
		n, bad := strconv.Atoi(q.PostForm.Get("number"))
		if bad != nil || n < 1 {
			refuse(w, http.StatusBadRequest, "There is no such candidate.")
			return
		}
		told, err = r.Pick(q.Context(), spec.Address(address), n)
	case "/approve":
		c, bad := digest.ParseContent(q.PostForm.Get("content"))
		if bad != nil {
			refuse(w, http.StatusBadRequest, "There is no such picture.")
			return
		}
		told, err = r.Approve(q.Context(), Approving{spec.Address(address), c, q.PostForm.Get("note"), q.PostForm.Get("revoke") != ""})
	default:
		refuse(w, http.StatusNotFound, "There is no such form.")
		return
	}
	if err != nil {
		told = "Not done: " + err.Error()
	}
	r.mu.Lock()
	r.told, r.pages = told, nil
	r.mu.Unlock()
	http.Redirect(w, q, "/image?address="+url.QueryEscape(address), http.StatusSeeOther)
}
