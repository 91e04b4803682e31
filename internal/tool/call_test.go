//go:build unix

package tool

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCall(t *testing.T) {
	t.Parallel()
	text := func(w io.Writer) error { _, err := io.WriteString(w, "pixels"); return err }
	endless := func(w io.Writer) error {
		b := make([]byte, 1<<16)
		for {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
	}
	for name, tt := range map[string]struct {
		script string
		call   Call
		want   string
		fails  string
	}{
		"reads":             {"cat", Call{Input: text}, "pixels", ""},
		"reads nothing":     {"echo all", Call{Input: endless}, "all\n", ""},
		"input breaks":      {"cat", Call{Input: func(w io.Writer) error { text(w); return errors.New("no more pixels") }}, "", "no more pixels"},
		"writes a file":     {`echo busy; cat > "$2"`, Call{Input: text, Result: "OUT"}, "pixels", ""},
		"writes no file":    {"echo busy; exit 4", Call{Result: "OUT"}, "", "givekey ends with exit status 4"},
		"file is too large": {`cat /dev/zero > "$2"`, Call{Result: "OUT"}, "", "givekey: it prints more than 1000 bytes"},
		"environment":       {"echo $THREADS$XAI_API_KEY", Call{Env: []string{"THREADS=1"}}, "1\n", ""},
		"last words":        {"echo one >&2; echo two >&2; exit 1", Call{}, "", "givekey ends with exit status 1: one two"},
		"many words":        {"i=0; while [ $i -lt 2000 ]; do echo $i >&2; i=$((i+1)); done; exit 1", Call{}, "", "1998 1999"},
		"too much":          {"cat /dev/zero", Call{}, "", "givekey: it prints more than 1000 bytes"},
		"too long":          {"sleep 1000", Call{Time: 30 * time.Millisecond}, "", "givekey takes longer than 30ms"},
		"deaf and too long": {"trap '' TERM INT PIPE; while :; do sleep 1; done", Call{Time: 30 * time.Millisecond}, "", "givekey takes longer than 30ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tt.call
			c.Command, c.Output = []string{"givekey", "-o", "OUT"}, 1000
			if c.Time == 0 {
				c.Time = time.Minute
			}
			b, err := c.Run(t.Context(), program(t, tt.script))
			if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails) || len(err.Error()) > 500) || string(b) != tt.want {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

// Who is ended leaves nobody behind: a pipe that both hold open ends.
func TestCallEndsAll(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var held *os.File
	c := Call{Command: []string{"givekey", fifo}, Time: time.Minute, Output: 10, Input: func(io.Writer) (err error) {
		held, err = os.Open(fifo) // which waits until the script has it
		cancel()
		return err
	}}
	if _, err := c.Run(ctx, program(t, `exec 9> "$1"; sleep 1000 & wait`)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	defer held.Close()
	if b, err := io.ReadAll(held); err != nil || len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
}
