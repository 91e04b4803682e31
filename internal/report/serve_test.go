package report

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

const hostile = "</p><script>alert(1)</script><img src=x onerror=alert(2)> \u202egnp.exe\x1b[31m \"'`{{.}}"

// shelf has pictures by content.
type shelf map[digest.Content]string

func (s shelf) Has(c digest.Content) bool { return s[c] != "" }
func (s shelf) Small(c digest.Content, side int) ([]byte, string) {
	return []byte("small " + s[c]), "image/jpeg"
}
func (s shelf) Mask(spec.Address) *MaskView { return nil }
func (s shelf) Full(c digest.Content) ([]byte, string) {
	return []byte(s[c]), "image/png"
}

var (
	inUse   = digest.OfContent([]byte("in use"))
	another = digest.OfContent([]byte("another"))
	foreign = digest.OfContent([]byte("of another project"))
)

// hostileSheet has one image, of which all that is foreign is hostile.
func hostileSheet() (*Sheet, shelf) {
	im := spec.Image{Address: `image.a["` + hostile + `"]`, Wanted: spec.Wanted{Prompt: hostile, Provider: "sketch"}, N: 2, Path: "a.png", Alt: hostile, Tags: []string{hostile}}
	l := &lock.Lock{}
	l.Set(lock.Entry{Address: im.Address, Candidates: []provider.Image{{Content: inUse, Width: 8, Height: 8, RevisedPrompt: hostile, Model: hostile}, {Content: another, Width: 8, Height: 8}},
		Outputs: []lock.Output{{Path: "a.png", Content: inUse, Of: inUse, Bytes: 6}}, Approved: &lock.Approval{Content: inUse, By: hostile, Note: hostile}})
	head := State{Images: []spec.Image{im}, Lock: l}
	p := &plan.Plan{Tool: "imgbuild"}
	run := ReadRun(strings.NewReader(`{"type":"step_failed","address":"x","message":"` + "boom" + `"}` + "\n{half"))
	return NewSheet(hostile, Compare(State{Name: hostile, Lock: &lock.Lock{}}, head, p, nil), head, run, func(spec.Address) CardDetail { return CardDetail{Preset: hostile} }),
		shelf{inUse: "in use", another: "another", foreign: "of another project"}
}

// visitor is a browser at a review.
type visitor struct {
	t      *testing.T
	review *Review
	at     string
	http.Client
	picked, approved []string
}

func visit(t *testing.T, choose bool) *visitor {
	v := &visitor{t: t}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { v.review.ServeHTTP(w, q) }))
	t.Cleanup(server.Close)
	v.at = server.URL
	v.review = NewReview(strings.TrimPrefix(server.URL, "http://"), time.Now)
	v.review.State = func() string { return "1" }
	v.review.Load = func(context.Context) (*Sheet, Shown, *Run, error) {
		sheet, pictures := hostileSheet()
		return sheet, pictures, nil, nil
	}
	if choose {
		v.review.Pick = func(_ context.Context, a spec.Address, n int) (string, error) {
			v.picked = append(v.picked, string(a))
			return "picked", nil
		}
		v.review.Approve = func(_ context.Context, a Approving) (string, error) {
			v.approved = append(v.approved, a.Note)
			return "", errors.New(hostile)
		}
	}
	v.Jar, _ = cookiejar.New(nil)
	return v
}

// ask sends a request, with headers as "Name: value", and returns the status and
// the body.
func (v *visitor) ask(method, path, body string, headers ...string) (int, string, http.Header) {
	v.t.Helper()
	q, err := http.NewRequest(method, v.at+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Origin", v.at)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		q.Header.Del(name)
		if name == "Host" {
			q.Host = value
		} else if value != "" {
			q.Header.Set(name, value)
		}
	}
	r, err := v.Do(q)
	if err != nil {
		v.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return r.StatusCode, string(b), r.Header
}

func (v *visitor) enter() {
	v.t.Helper()
	u, _ := url.Parse(v.review.URL())
	if status, _, _ := v.ask("GET", u.RequestURI(), ""); status != 200 {
		v.t.Fatalf("the address that is shown answers %d", status)
	}
}

func TestReviewKeepsStrangersOut(t *testing.T) {
	v := visit(t, true)
	form := "csrf=" + v.review.csrf + "&address=x&number=1"
	all := []string{"/", "/image?address=x", "/preset?name=x", "/picture/" + inUse.String(), "/thumb/" + inUse.String(), "/mask?address=x", "/style.css", "/script.js", "/state", "/pick", "/?token=", "/?token=wrong"}
	for _, path := range all {
		if status, body, _ := v.ask("GET", path, ""); status != 403 || strings.Contains(body, "in use") {
			t.Errorf("GET %s without the token: %d %s", path, status, body)
		}
	}
	if status, _, _ := v.ask("POST", "/pick", form); status != 403 || len(v.picked) > 0 {
		t.Errorf("POST without the token: %d", status)
	}
	v.enter()
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		want                     int
	}{
		{"a name that points here", "GET", "/", "", []string{"Host: evil.example"}, 421},
		{"the same with our port", "GET", "/", "", []string{"Host: evil.example:" + v.at[strings.LastIndex(v.at, ":")+1:]}, 421},
		{"another port", "GET", "/", "", []string{"Host: 127.0.0.1:1"}, 421},
		{"another page reads", "GET", "/", "", []string{"Origin: https://evil.example"}, 403},
		{"another page posts", "POST", "/pick", form, []string{"Origin: https://evil.example"}, 403},
		{"a page in a sandbox posts", "POST", "/pick", form, []string{"Origin: null"}, 403},
		{"nobody knows who posts", "POST", "/pick", form, []string{"Origin: "}, 403},
		{"a form without our token", "POST", "/pick", "address=x&number=1", nil, 403},
		{"one with another token", "POST", "/pick", "csrf=guess&address=x&number=1", nil, 403},
		{"the token in the address", "POST", "/pick?" + form, "", nil, 403},
		{"plain text", "POST", "/pick", form, []string{"Content-Type: text/plain"}, 415},
		{"no number", "POST", "/pick", "csrf=" + v.review.csrf + "&address=x&number=-1", nil, 400},
		{"no digest", "POST", "/approve", "csrf=" + v.review.csrf + "&address=x&content=..", nil, 400},
		{"a large form", "POST", "/pick", form + "&note=" + strings.Repeat("x", maxForm), nil, 400},
		{"another form", "POST", "/", form, nil, 404},
		{"another method", "DELETE", "/", "", nil, 405},
		{"a path", "GET", "/../../etc/passwd", "", nil, 404},
		{"a picture by path", "GET", "/picture/..%2f..%2fetc%2fpasswd", "", nil, 404},
		{"a picture that no page shows", "GET", "/picture/" + foreign.String(), "", nil, 404},
		{"its thumbnail", "GET", "/thumb/" + foreign.String(), "", nil, 404},
		{"an image that is not there", "GET", "/image?address=none", "", nil, 404},
		{"its mask", "GET", "/mask?address=none", "", nil, 404},
	} {
		if status, body, _ := v.ask(c.method, c.path, c.body, c.headers...); status != c.want {
			t.Errorf("%s: %d, want %d: %s", c.name, status, c.want, body)
		}
	}
	if len(v.picked)+len(v.approved) > 0 {
		t.Errorf("strangers chose: %q %q", v.picked, v.approved)
	}
}

func TestReviewIsInert(t *testing.T) {
	v := visit(t, true)
	v.enter()
	address := url.QueryEscape(`image.a["` + hostile + `"]`)
	_, _, _ = v.ask("POST", "/approve", "csrf="+v.review.csrf+"&address="+address+"&content="+inUse.String()+"&note=fine")
	for _, path := range []string{"/image?address=" + address, "/", "/preset?name=" + url.QueryEscape(hostile)} {
		status, body, head := v.ask("GET", path, "")
		if status != 200 {
			t.Errorf("GET %s: %d %s", path, status, body)
		}
		inert(t, path, body, 1)
		if csp := head.Get("Content-Security-Policy"); csp != policy {
			t.Errorf("GET %s: policy %q", path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got := head.Get(name); got != want {
				t.Errorf("GET %s: %s is %q", path, name, got)
			}
		}
	}
	if _, body, head := v.ask("GET", "/picture/"+another.String(), ""); body != "another" || head.Get("Content-Type") != "image/png" || !strings.Contains(head.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("a picture is %q, %v", body, head)
	}
	v.review.Load = func(context.Context) (*Sheet, Shown, *Run, error) { return nil, nil, nil, errors.New(hostile) }
	v.review.pages = nil
	status, body, _ := v.ask("GET", "/", "")
	if status != 500 {
		t.Errorf("a broken project answers %d", status)
	}
	inert(t, "broken", body, 1)
}

// inert holds that no foreign text became markup, and that a page has only our
// scripts.
func inert(t *testing.T, name, body string, scripts int) {
	t.Helper()
	page, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for n := range page.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" && strings.ContainsAny(n.Data, "\u202e\x1b") {
			t.Errorf("%s shows %q", name, n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "script" {
			seen++
		}
		for _, a := range n.Attr {
			shown := a.Key != "value" && a.Key != "href" // which name things to us
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "data:image/") || shown && strings.ContainsAny(a.Val, "\u202e\x1b") {
				t.Errorf("%s has <%s %s=%q>", name, n.Data, a.Key, a.Val)
			}
		}
	}
	if seen != scripts {
		t.Errorf("%s has %d scripts, want %d", name, seen, scripts)
	}
	if !strings.Contains(body, "alert(1)") {
		t.Errorf("%s shows nothing of what is hostile, so it tests nothing", name)
	}
}

func TestReviewChooses(t *testing.T) {
	v := visit(t, true)
	v.enter()
	v.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	status, _, head := v.ask("POST", "/pick", "csrf="+v.review.csrf+"&address=image.a&number=2")
	if status != 303 || head.Get("Location") != "/image?address=image.a" || len(v.picked) != 1 || v.picked[0] != "image.a" {
		t.Errorf("pick: %d %v %q", status, head, v.picked)
	}
	if status, _, _ = v.ask("POST", "/approve", "csrf="+v.review.csrf+"&address=image.a&note=fine&content="+inUse.String()); status != 303 || len(v.approved) != 1 {
		t.Errorf("approve: %d %q", status, v.approved)
	}

	reader := visit(t, false)
	reader.enter()
	if status, body, _ := reader.ask("GET", "/", ""); status != 200 || strings.Contains(body, "csrf") {
		t.Errorf("without -approve: %d, or a form", status)
	}
	for _, path := range []string{"/pick", "/approve"} {
		if status, _, _ := reader.ask("POST", path, "csrf="+reader.review.csrf+"&address=image.a&number=1"); status != 403 {
			t.Errorf("without -approve %s answers %d", path, status)
		}
	}
}

func TestHTMLFile(t *testing.T) {
	sheet, pictures := hostileSheet()
	var b strings.Builder
	if err := HTML(&b, sheet, pictures, HTMLOptions{}); err != nil {
		t.Fatal(err)
	}
	inert(t, "the file", b.String(), 1)
	for _, bad := range []string{"http:", "https:", "/picture/", `method="post"`, "href=\"/"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("the file has %q in it", bad)
		}
	}
	if !strings.Contains(b.String(), PageMark) || strings.Index(b.String(), PageMark) > 400 {
		t.Error("nobody could tell that the file is ours")
	}
	if strings.Contains(b.String(), "left out") || !strings.Contains(b.String(), "data:image/jpeg;base64,") {
		t.Error("the pictures are not all in it")
	}
	b.Reset()
	if err := HTML(&b, sheet, pictures, HTMLOptions{Most: 10}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "3 pictures are left out") || strings.Contains(b.String(), "data:image/jpeg") {
		t.Error("the file does not say that pictures are left out")
	}
}
