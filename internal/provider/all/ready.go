package all

import (
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
// without asking it: an endpoint that may not get the key, or no key. The
// program of a credential_command is not started, but taken to have one.
func Ready(cfg provider.Config, env Env) error {
	env.Credential = nil
	if _, err := Make(cfg, env); err != nil || cfg.Type != "xai" || len(cfg.Command) > 0 {
		return err
	}
	key, err := readKey(cfg, env, "XAI_API_KEY")
	if err != nil || !xai.NewKey(key).IsZero() {
		return err
	}
	if Local(cfg) {
		return nil
	}
	return xai.NoKey()
}

// Local reports whether a provider is on this machine: it draws here, or its
// endpoint is loopback.
func Local(cfg provider.Config) bool { return cfg.Type == "sketch" || xai.Local(cfg) }

// Foreign reports whether a provider is asked at a server that is neither its
// own nor on this machine.
func Foreign(cfg provider.Config) bool { return cfg.Type == "xai" && xai.Foreign(cfg) }

// Inline reports whether a provider delivers bytes and no URLs.
func Inline(cfg provider.Config) bool { return cfg.Type == "sketch" || cfg.Response == "b64_json" }
