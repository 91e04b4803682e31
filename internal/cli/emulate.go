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
	"slices"
	"strings"
	"syscall"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/emulator"
)

func emulateVerb() verb {
	var listen, profile, faults, log, key string
	var anywhere bool
	var expire time.Duration
	return verb{
		name: "emulate", short: "run a local server that speaks xAI's image API, for rehearsals without a key",
		help: `
  imgbuild emulate
  imgbuild emulate -listen 127.0.0.1:8080 -faults faults.json -log requests.jsonl
  imgbuild emulate -profile current -expire 1h

The first line says where it listens, for REST and gRPC alike. Point a provider
at it:

  provider "xai" {
    endpoint = "http://127.0.0.1:8080/v1"
  }

What it draws never passes for what the service was paid for: with another
endpoint the images are planned anew. The profile documented takes all that the
page of the API promises; current refuses what the service refuses today (size,
style, mask, multipart); openai is OpenAI's Images API, for its own clients.

A file of faults is a JSON list, such as

  [{"match": {"prompt_contains": "fox"}, "times": 2, "do": {"status": 429, "retry_after": "3"}},
   {"match": {"path": "/v1/images/edits", "nth": 1}, "do": {"drop": "after-request"}},
   {"match": {"method": "POST"}, "do": {"pending": 3}}]

Each entry matches by method, path, prompt_contains and nth (all optional), works
times times (0: always), and does one or more of:

  status (number), body, retry_after   the answer, instead of images
  delay, drip ("2s")                   wait before it; pause before each 32nd of it
  drop                                 before-read, after-request, mid-body or reset
  silent (true), truncate (bytes)      no answer, or only its beginning
  moderated                            "400", "flag", "placeholder" or "empty"
  n, cost (numbers)                    so many images; bill so many times the price
  html, corrupt, wrong_size (true)     what comes as the picture
  expired (true), redirect (URL)       what its URL answers
  pending (polls), ready_after ("5s")  how long a deferred request takes
  job                                  how it ends: expired, failed, or a code of failure: invalid_argument,
                                       permission_denied, failed_precondition, service_unavailable, internal_error
  billed (true or false)               whether it costs

Over gRPC, which has no jobs, they mean the same; path is then
/xai_api.Image/GenerateImage, and status becomes the one of gRPC. The schema for
grpcurl and the like is internal/xaipb/image.proto of the source. Prompts match POSTs, and with method GET the
polls and downloads that belong to them. GET /_emulator/stats tells what was
asked for and billed. Ctrl-C ends it.
`,
		flags: []urfave.Flag{
			&urfave.StringFlag{Name: "listen", Usage: "listen on `ADDRESS`; default a free port of 127.0.0.1", Value: "127.0.0.1:0", Destination: &listen},
			&urfave.StringFlag{Name: "profile", Usage: "`NAME`: documented (default), as the API page says, current, as the service is, or openai", Value: "documented", Destination: &profile},
			&urfave.StringFlag{Name: "faults", Usage: "go wrong as `FILE` says", Destination: &faults},
			&urfave.DurationFlag{Name: "expire", Usage: "image URLs answer 403 after `DURATION`, such as 1h; default never", Destination: &expire},
			&urfave.StringFlag{Name: "log", Usage: "append a JSON line for each request to `FILE`", Destination: &log},
			&urfave.StringFlag{Name: "key", Usage: "take only this `KEY`", Destination: &key},
			&urfave.BoolFlag{Name: "anywhere", Usage: "allow an address that is not loopback", Destination: &anywhere},
		},
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error {
			if !slices.Contains(emulator.Profiles, profile) {
				return fail("write -profile=documented, -profile=current or -profile=openai", "there is no profile %q", profile)
			}
			if expire < 0 {
				return fail("write -expire=1h, or leave it out", "-expire: %s is over before it begins", expire)
			}
			cfg := emulator.Config{Profile: profile, Key: key, Expire: expire, Now: env.Now}
			if faults != "" {
				b, err := os.ReadFile(join(env.Dir, faults))
				if err != nil {
					return err
				}
				if cfg.Faults, err = emulator.ParseFaults(b); err != nil {
					for line := range strings.Lines(err.Error()) {
						fmt.Fprintf(env.Stderr, "%s %s: %s\n", palette(env, env.Stderr).Red("Error:"), diag.Clean(faults), diag.Clean(strings.TrimPrefix(strings.TrimSpace(line), "faults: ")))
					}
					fmt.Fprintln(env.Stderr, "  Hint: imgbuild help emulate lists what an entry may say")
					return exit(exitError)
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
	if errors.Is(err, syscall.EADDRINUSE) {
		return fail("leave out -listen for a free port, or end what listens there", "-listen: %s is in use", address)
	}
	if err != nil {
		return err
	}
	// Before the line that others wait for: they may end it at once.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	here := strings.Replace(l.Addr().String(), "[::]", "127.0.0.1", 1)
	fmt.Fprintf(env.Stdout, "listening on http://%s\n", here)
	fmt.Fprintf(env.Stderr, "endpoint = \"http://%s/v1\"\n", here)
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
