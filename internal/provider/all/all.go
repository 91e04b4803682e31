package all

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/limit"
	"github.com/imgbuild/imgbuild/internal/provider/sketch"
	"github.com/imgbuild/imgbuild/internal/provider/xai"
)

// Env is what a maker may see of the world.
type Env struct {
	Getenv   func(string) string
	ReadFile func(string) ([]byte, error)
	Now      func() time.Time

	// Credential runs the credential_command of a provider and returns what it
	// prints; nil where no program may be started.
	Credential func(provider.Config) (string, error)
}

// kind is what the registry knows of a type of provider.
type kind struct {
	offers func(provider.Config) []provider.Offer // the default model first
	offer  func(cfg provider.Config, model string) (provider.Offer, bool)
	make   func(provider.Config, Env) (provider.Maker, error)
}

var kinds = map[string]kind{
	"sketch": {
		offers: func(provider.Config) []provider.Offer {
			o, _ := sketch.Offer("")
			return []provider.Offer{o}
		},
		offer: func(_ provider.Config, model string) (provider.Offer, bool) { return sketch.Offer(model) },
		make:  func(provider.Config, Env) (provider.Maker, error) { return sketch.New(), nil },
	},
	"xai": {offers: xai.Offers, offer: xai.Offer, make: makeXAI},
}

// Types lists the types of provider, sorted.
func Types() []string { return slices.Sorted(maps.Keys(kinds)) }

// Offers lists the models of cfg, the default one first; nil if there is no
// such type.
func Offers(cfg provider.Config) []provider.Offer {
	k, ok := kinds[cfg.Type]
	if !ok {
		return nil
	}
	return k.offers(cfg)
}

// Offer tells about a model of cfg, "" for the default one.
func Offer(cfg provider.Config, model string) (provider.Offer, bool) {
	k, ok := kinds[cfg.Type]
	if !ok {
		return provider.Offer{}, false
	}
	return k.offer(cfg, model)
}

// Make returns the maker of cfg, which waits its turn as cfg says. A
// *provider.Error of kind Credentials means that a key can't be read or must
// not be sent to the endpoint.
func Make(cfg provider.Config, env Env) (provider.Maker, error) {
	k, ok := kinds[cfg.Type]
	if !ok {
		return nil, fmt.Errorf("no provider type %q", cfg.Type)
	}
	m, err := k.make(cfg, env)
	if err != nil {
		return nil, err
	}
	return limit.Wrap(m, limit.Config{
		Parallelism: cfg.Parallelism, PerMinute: cfg.PerMinute, Now: env.Now, Jitter: rand.Float64,
	}), nil
}

func makeXAI(cfg provider.Config, env Env) (provider.Maker, error) {
	o := xai.Options{Trust: strings.FieldsFunc(env.Getenv("IMGBUILD_TRUST_HOSTS"), func(r rune) bool { return r == ',' || r == ' ' }), Proxy: proxies(env), Now: env.Now}
	m, err := xai.New(cfg, o) // an endpoint that may not get a key gets none made
	if err != nil || len(cfg.Command) > 0 && env.Credential == nil {
		return m, err // nobody can be asked with it, and who only looks needs no key
	}
	key, err := readKey(cfg, env, "XAI_API_KEY")
	if err != nil {
		return nil, err
	}
	o.Key = xai.NewKey(key)
	return xai.New(cfg, o)
}

// proxies reads what the environment says of proxies, as other programs do:
// HTTPS_PROXY, HTTP_PROXY, NO_PROXY, in capitals or not.
func proxies(env Env) func(*url.URL) (*url.URL, error) {
	get := func(name string) string { return cmp.Or(env.Getenv(name), env.Getenv(strings.ToLower(name))) }
	c := httpproxy.Config{HTTPProxy: get("HTTP_PROXY"), HTTPSProxy: get("HTTPS_PROXY"), NoProxy: get("NO_PROXY")}
	if c.HTTPProxy == "" && c.HTTPSProxy == "" {
		return nil
	}
	ask := c.ProxyFunc()
	return func(u *url.URL) (*url.URL, error) {
		value := c.HTTPProxy
		if u.Scheme == "https" {
			value = c.HTTPSProxy
		}
		_, host, ok := strings.Cut(value, "://")
		if !ok {
			host = value
		}
		p, err := ask(u)
		if _, wrong := url.Parse("http://" + host); err == nil && p == nil && value != "" && wrong != nil {
			err = errUnreadable // the library would ask directly
		}
		return p, err
	}
}

var errUnreadable = errors.New("the proxy can't be read as a URL")

// Proxy is the proxy through which a provider is asked, without its user and
// password; "" if it is asked directly, or nobody is.
func Proxy(cfg provider.Config, env Env) string {
	ask := proxies(env)
	if cfg.Type != "xai" || ask == nil || Local(cfg) {
		return ""
	}
	u, err := url.Parse(cmp.Or(cfg.Endpoint, xai.Builtin))
	if err != nil {
		return ""
	}
	p, err := ask(u)
	if err != nil || p == nil {
		return "" // Ready says what is wrong
	}
	return p.Scheme + "://" + p.Host
}

// readKey asks the program of cfg, else reads the file that NAME_FILE names,
// else NAME. No key is "".
func readKey(cfg provider.Config, env Env, name string) (string, error) {
	if len(cfg.Command) > 0 {
		key, err := env.Credential(cfg)
		if err == nil && strings.TrimSpace(key) == "" {
			err = &provider.Error{Kind: provider.Credentials, Message: "its credential_command prints nothing", Hint: "try it: " + strings.Join(cfg.Command, " ")}
		}
		return key, err
	}
	file := env.Getenv(name + "_FILE")
	if file == "" {
		return env.Getenv(name), nil
	}
	b, err := env.ReadFile(file)
	if err != nil {
		return "", &provider.Error{
			Kind: provider.Credentials, Message: fmt.Sprintf("%s_FILE can't be read: %v", name, err), Hint: "export " + name + "_FILE=…",
		}
	}
	return string(b), nil
}
