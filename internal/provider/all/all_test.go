package all

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

// world is an Env with these variables and one file.
func world(vars ...string) Env {
	return Env{
		Getenv: func(name string) string {
			for i := 0; i < len(vars); i += 2 {
				if vars[i] == name {
					return vars[i+1]
				}
			}
			return ""
		},
		ReadFile: func(name string) ([]byte, error) {
			if name != "/run/key" {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return []byte("from-file\n"), nil
		},
		Now: time.Now,
	}
}

func TestOffers(t *testing.T) {
	t.Parallel()
	if d := cmp.Diff([]string{"sketch", "xai"}, Types()); d != "" {
		t.Error(d)
	}
	for _, kind := range Types() {
		for _, wire := range []string{"current", "documented"} {
			cfg := provider.Config{Type: kind, Wire: wire}
			usual, ok := Offer(cfg, "")
			offers := Offers(cfg)
			if !ok || usual.Model != offers[0].Model {
				t.Errorf("%s: the default is %q, the first %q", kind, usual.Model, offers[0].Model)
			}
			for _, o := range offers {
				for _, err := range providertest.CheckOffer(o) {
					t.Error(err)
				}
				if o.Provider != kind {
					t.Errorf("%s offers for %s", kind, o.Provider)
				}
			}
		}
	}
	none := provider.Config{Type: "dall-e"}
	if _, ok := Offer(none, ""); ok || Offers(none) != nil {
		t.Error("offers of a type that does not exist")
	}
	if _, err := Make(none, world()); err == nil || !strings.Contains(err.Error(), `"dall-e"`) {
		t.Error(err)
	}
}

// TestKey: where the key comes from, as the server sees it.
func TestKey(t *testing.T) {
	t.Parallel()
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		io.WriteString(w, `{"data":[{"url":"https://i.example/a.png"}]}`)
	}))
	defer s.Close()
	cfg := provider.Config{Type: "xai", Endpoint: s.URL, Parallelism: 1}
	for _, tt := range []struct {
		env  Env
		want string
	}{
		{world("XAI_API_KEY", "from-env"), "Bearer from-env"},
		{world("XAI_API_KEY", "from-env", "XAI_API_KEY_FILE", "/run/key"), "Bearer from-file"},
		{world(), ""},
	} {
		m, err := Make(cfg, tt.env)
		if err != nil {
			t.Fatal(err)
		}
		r := &provider.Request{Provider: "xai", Prompt: "p", N: 1}
		if _, err := m.Make(t.Context(), r, &providertest.Recorder{}); err != nil || got != tt.want {
			t.Errorf("sent %q, want %q: %v", got, tt.want, err)
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	eu := provider.Config{Type: "xai", Endpoint: "https://eu.example/v1"}
	for name, tt := range map[string]struct {
		cfg provider.Config
		env Env
		ok  bool
	}{
		"no such file":    {provider.Config{Type: "xai"}, world("XAI_API_KEY_FILE", "/nowhere", "XAI_API_KEY", "x"), false},
		"foreign":         {eu, world("XAI_API_KEY", "secret"), false},
		"foreign, others": {eu, world("XAI_API_KEY", "secret", "IMGBUILD_TRUST_HOSTS", "a.example,b.example"), false},
		"trusted":         {eu, world("XAI_API_KEY", "secret", "IMGBUILD_TRUST_HOSTS", "a.example, eu.example"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Make(tt.cfg, tt.env)
			if tt.ok {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *provider.Error
			if !errors.As(err, &e) || e.Kind != provider.Credentials || e.Hint == "" || strings.Contains(fmt.Sprintf("%+v", e), "secret") {
				t.Errorf("%+v", err)
			}
		})
	}
}

// TestSketchConforms runs the conformance suite through the registry, so that
// the limit decorator is held to it as well.
func TestSketchConforms(t *testing.T) {
	t.Parallel()
	providertest.Run(t, func(t *testing.T) providertest.Rig {
		m, err := Make(provider.Config{Type: "sketch", Parallelism: 4}, world())
		if err != nil {
			t.Fatal(err)
		}
		size := provider.Size{Width: 32, Height: 16}
		return providertest.Rig{Maker: m, Inline: true, Requests: []*provider.Request{
			{Provider: "sketch", Prompt: "a lake", Size: size, N: 3},
			{Provider: "sketch", Prompt: "a lake", Size: size, Style: "vivid", N: 1},
		}}
	})
}

// TestProxy: what the environment says is told without user and password, and
// loopback is never asked through a proxy.
func TestProxy(t *testing.T) {
	t.Parallel()
	const secret = "open-Sesame"
	through := "http://user:" + secret + "@proxy.example:3128"
	xai, local := provider.Config{Type: "xai"}, provider.Config{Type: "xai", Endpoint: "http://127.0.0.1:9/v1"}
	named, clear := provider.Config{Type: "xai", Endpoint: "https://eu.example/v1"}, provider.Config{Type: "xai", Endpoint: "http://eu.example/v1"}
	for name, tt := range map[string]struct {
		cfg  provider.Config
		env  Env
		want string
	}{
		"none":          {xai, world(), ""},
		"https":         {xai, world("HTTPS_PROXY", through), "http://proxy.example:3128"},
		"lower case":    {xai, world("https_proxy", through), "http://proxy.example:3128"},
		"without http:": {xai, world("HTTPS_PROXY", "proxy.example:3128"), "http://proxy.example:3128"},
		"only http":     {xai, world("HTTP_PROXY", through), ""},
		"http":          {clear, world("HTTP_PROXY", through), "http://proxy.example:3128"},
		"no proxy":      {xai, world("HTTPS_PROXY", through, "NO_PROXY", "example.org,.x.ai"), ""},
		"for none":      {xai, world("HTTPS_PROXY", through, "no_proxy", "*"), ""},
		"another":       {named, world("HTTPS_PROXY", through, "NO_PROXY", "x.ai"), "http://proxy.example:3128"},
		"loopback":      {local, world("HTTPS_PROXY", through, "HTTP_PROXY", through), ""},
		"sketch":        {provider.Config{Type: "sketch"}, world("HTTPS_PROXY", through), ""},
		"nonsense":      {xai, world("HTTPS_PROXY", "http://user:"+secret+"@a b/%zz"), ""},
	} {
		if got := Proxy(tt.cfg, tt.env); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	for _, wrong := range []string{"http://user:" + secret + "@a b/%zz", "socks5://user:" + secret + "@proxy.example"} {
		_, err := Make(xai, world("HTTPS_PROXY", wrong, "XAI_API_KEY", "key"))
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != provider.Credentials || strings.Contains(fmt.Sprintf("%+v", e), secret) {
			t.Errorf("%s: %+v", wrong, err)
		}
	}
}
