package tool

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program writes a script onto a PATH of its own.
func program(t *testing.T, text string) func(string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "givekey"), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return func(name string) string {
		return map[string]string{"PATH": "relative:" + dir + ":/usr/bin:/bin", "HOME": "/home/u", "XAI_API_KEY": "secret", "LD_PRELOAD": "x.so"}[name]
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want, fails string }{
		"prints":        {`echo "the $1"`, "the key\n", ""},
		"fails":         {"echo secret >&2; exit 3", "", "givekey ends with exit status 3"},
		"too much":      {"head -c 70000 /dev/zero", "", "prints more than 65536 bytes"},
		"clean":         {"env | grep -c 'XAI\\|LD_'; echo $HOME", "0\n/home/u\n", ""},
		"another place": {"test -e tool.go || echo elsewhere", "elsewhere\n", ""},
		"no input":      {"read x || echo none", "none\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := Output(t.Context(), program(t, tt.text), []string{"givekey", "key"})
			if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) || string(b) != tt.want {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
	getenv := program(t, "exit 0")
	for _, wrong := range []string{"", "./givekey", "bin/givekey", `..\givekey`, "nosuchprogram", "/nosuchprogram", "/"} {
		if _, err := Output(t.Context(), getenv, []string{wrong}); err == nil {
			t.Errorf("%q runs", wrong)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Output(ctx, getenv, []string{"givekey"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
