package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/emulator"
)

func emulateVerb() verb {
	var listen, profile, faults, log, key string
	var anywhere bool
	return verb{
		name: "emulate", short: "run a local server that speaks xAI's image API, for rehearsals without a key",
		help: `
  imgbuild emulate
  imgbuild emulate -listen 127.0.0.1:8080 -faults faults.json -log requests.jsonl

The first line says where it listens. Point a provider at it:

  provider "xai" {
    endpoint = "http://127.0.0.1:8080/v1"
    wire     = "documented"
  }

A file of faults is a JSON list, such as

  [{"match": {"prompt_contains": "fox"}, "times": 2, "do": {"status": 429, "retry_after": "3"}},
   {"match": {"path": "/v1/images/edits", "nth": 1}, "do": {"drop": "after-request"}}]

Each entry matches by path, prompt_contains and nth (all optional), works times
times (0: always), and does one or more of: status (number), body, retry_after,
delay ("2s"), drop (before-read, after-request, mid-body, reset), silent (true),
truncate (bytes), moderated ("400", "flag", "placeholder", "empty"), n (images),
html, corrupt, wrong_size, expired (true), billed (true or false).
GET /_emulator/stats tells what was asked for and billed. Ctrl-C ends it.
`,
		flags: []urfave.Flag{
			&urfave.StringFlag{Name: "listen", Usage: "listen on `ADDRESS`; default a free port of 127.0.0.1", Value: "127.0.0.1:0", Destination: &listen},
			&urfave.StringFlag{Name: "profile", Usage: "`NAME`: documented (default), as the API page says, or current, as the service is", Value: "documented", Destination: &profile},
			&urfave.StringFlag{Name: "faults", Usage: "go wrong as `FILE` says", Destination: &faults},
			&urfave.StringFlag{Name: "log", Usage: "append a JSON line for each request to `FILE`", Destination: &log},
			&urfave.StringFlag{Name: "key", Usage: "take only this `KEY`", Destination: &key},
			&urfave.BoolFlag{Name: "anywhere", Usage: "allow an address that is not loopback", Destination: &anywhere},
		},
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error {
			if profile != "documented" && profile != "current" {
				return fail("write -profile=documented or -profile=current", "there is no profile %q", profile)
			}
			cfg := emulator.Config{Profile: profile, Key: key, Now: env.Now}
			if faults != "" {
				b, err := os.ReadFile(join(env.Dir, faults))
				if err != nil {
					return err
				}
				if cfg.Faults, err = emulator.ParseFaults(b); err != nil {
					return fmt.Errorf("%s: %w", faults, err)
				}
			}
			if log != "" {
				f, err := os.OpenFile(join(env.Dir, log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
				if err != nil {
					return err
				}
				defer f.Close()
				cfg.Log = f
			}
			return serve(ctx, env, listen, anywhere, emulator.New(cfg))
		},
	}
}

func serve(ctx context.Context, env *Env, address string, anywhere bool, e *emulator.Server) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fail("write -listen=127.0.0.1:8080", "-listen: %w", err)
	}
	if ip := net.ParseIP(host); !anywhere && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fail("listen on 127.0.0.1, or add -anywhere", "%s is not a loopback address; everybody in the network could use the server", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "listening on http://%s\n", strings.Replace(l.Addr().String(), "[::]", "127.0.0.1", 1))
	fmt.Fprintf(env.Stderr, "endpoint = \"http://%s/v1\"\n", l.Addr())
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := e.HTTP()
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	_, err = io.WriteString(env.Stderr, "ended\n")
	return err
}
