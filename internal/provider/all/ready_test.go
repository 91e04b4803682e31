package all

import (
	"testing"
	"time"

	"github.com/imgbuild/imgbuild/internal/provider"
)

func TestReady(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, kind, endpoint, key string
		ready                     bool
	}{
		{"sketch", "sketch", "", "", true},
		{"no key", "xai", "", "", false},
		{"white space", "xai", "", " \n", false},
		{"key", "xai", "", "xai-1", true},
		{"loopback needs none", "xai", "http://127.0.0.1:1/v1", "", true},
		{"a host that may not get the key", "xai", "https://example.com/v1", "xai-1", false},
		{"no such type", "nope", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := Env{Now: time.Now, Getenv: func(name string) string {
				if name == "XAI_API_KEY" {
					return tt.key
				}
				return ""
			}}
			err := Ready(provider.Config{Type: tt.kind, Endpoint: tt.endpoint, Parallelism: 1}, env)
			if (err == nil) != tt.ready {
				t.Errorf("Ready: %v, want %v", err, tt.ready)
			}
		})
	}
}

func TestWires(t *testing.T) {
	t.Parallel()
	for _, kind := range Types() {
		for _, wire := range Wires(kind) {
			if len(Offers(provider.Config{Type: kind, Wire: wire})) == 0 {
				t.Errorf("%s with wire %q offers nothing", kind, wire)
			}
		}
	}
}

func TestWhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cfg           provider.Config
		local, inline bool
	}{
		{provider.Defaults("sketch"), true, true},
		{provider.Defaults("xai"), false, false},
		{provider.Config{Type: "xai", Response: "b64_json"}, false, true},
		{provider.Config{Type: "xai", Endpoint: "http://localhost:8080/v1"}, true, false},
		{provider.Config{Type: "xai", Endpoint: "http://[::1]:8080/v1"}, true, false},
		{provider.Config{Type: "xai", Endpoint: "https://localhost.example/v1"}, false, false},
		{provider.Config{Type: "xai", Endpoint: "://"}, false, false},
	} {
		if Local(tt.cfg) != tt.local || Inline(tt.cfg) != tt.inline {
			t.Errorf("%+v: local %v, inline %v", tt.cfg, Local(tt.cfg), Inline(tt.cfg))
		}
	}
}
