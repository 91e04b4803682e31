package all

import (
	"net/netip"
	"net/url"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/xai"
)

// Wires lists the values of wire that a type of provider has, the default one
// first; one empty name if it has no choice.
func Wires(kind string) []string {
	if kind == "xai" {
		return []string{"current", "documented"}
	}
	return []string{""}
}

// Ready reports why a provider could not be asked, as far as that is known
// without asking it: an endpoint that may not get the key, or no key.
func Ready(cfg provider.Config, env Env) error {
	if _, err := Make(cfg, env); err != nil || cfg.Type != "xai" {
		return err
	}
	key, err := readKey(env, "XAI_API_KEY")
	if err != nil || !xai.NewKey(key).IsZero() {
		return err
	}
	if u, err := url.Parse(cfg.Endpoint); err == nil {
		if ip, err := netip.ParseAddr(u.Hostname()); u.Hostname() == "localhost" || err == nil && ip.IsLoopback() {
			return nil
		}
	}
	return &provider.Error{Kind: provider.Credentials, Message: "no key", Hint: "export XAI_API_KEY=…"}
}
