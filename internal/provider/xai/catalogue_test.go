package xai

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

// readCatalogue reads testdata/wire/catalogue/name.json.
func readCatalogue(t *testing.T, name string) (f fixture) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "wire", "catalogue", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(name, err)
	}
	return f
}

// TestCatalogue holds the client to every recorded answer, and the comparison
// with the offers to what is in it.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	gone := []string{"grok-imagine-image: gone from the catalogue", "grok-imagine-image-2.0: gone from the catalogue"}
	tests := map[string]struct {
		kind provider.Kind // 0 for success
		says []string      // Compare with the offers of the current wire
	}{
		"example": {0, gone[1:]},
		"same":    {0, nil},
		"changed": {0, []string{
			"grok-imagine-image: now a name of grok-imagine-image-2.0",
			"grok-imagine-image-2.0 at 1k low: $0.05, known here as $0.04",
			"grok-imagine-image-2.0 at 1.5k low: $0.05, not known here",
			"grok-imagine-image-2.0 at 1k high: $0.10, not known here",
			"\x1b[31mred: not known here",
			"grok-imagine-image-3.0: not known here; from $0.10",
		}},
		"cheaper": {0, []string{"grok-imagine-image: $0.01, known here as $0.02", gone[1]}},
		"odd":     {0, []string{gone[1], "x: not known here"}},
		"empty":   {0, gone},
		"list":    {provider.NotSent, nil},
		"page":    {provider.NotSent, nil},
		"missing": {provider.Rejected, nil},
		"moved":   {provider.Rejected, nil},
		"down":    {provider.NotSent, nil},
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "testdata", "wire", "catalogue", "*.json"))
	if err != nil || len(files) != len(tests) {
		t.Errorf("%d recorded catalogues, %d tests: %v", len(files), len(tests), err)
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			m, _ := serve(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if r.Method != "GET" || r.URL.Path != "/v1/image-generation-models" || r.Header.Get("Authorization") != "Bearer "+canary {
					t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
				}
				readCatalogue(t, name).serve(w, r)
			})
			listed, err := m.Catalogue(t.Context())
			if asked.Load() != 1 {
				t.Errorf("asked %d times", asked.Load())
			}
			if want.kind != 0 {
				if e := asError(t, err); e.Kind != want.kind || e.Message == "" {
					t.Errorf("%v, want %v", e, want.kind)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var says []string
			for _, d := range provider.Compare(Offers(provider.Config{}), listed) {
				says = append(says, d.String())
			}
			if d := cmp.Diff(want.says, says); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestCatalogueRefused: what an error body means is decided as for a paid call.
func TestCatalogueRefused(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]provider.Kind{
		"key_wrong": provider.Credentials, "key_missing": provider.Credentials, "key_blocked": provider.Credentials,
		"rate_429": provider.RateLimited, "doubt_500": provider.NotSent, "redirect_308": provider.Rejected,
	} {
		m, _ := serve(t, provider.Config{}, readFixture(t, name).serve)
		_, err := m.Catalogue(t.Context())
		if e := asError(t, err); e.Kind != kind {
			t.Errorf("%s: %v, want %v", name, e, kind)
		}
	}
}

// TestCatalogueKey: without a key only loopback is asked, and an endpoint that
// may not get the key never is.
func TestCatalogueKey(t *testing.T) {
	t.Parallel()
	m, err := newMaker(provider.Config{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.dial = func(context.Context, string, string) (net.Conn, error) {
		t.Error("dialled without a key")
		return nil, errors.New("no")
	}
	_, err = m.Catalogue(t.Context())
	if e := asError(t, err); e.Kind != provider.Credentials || e.Hint == "" {
		t.Error(e)
	}
	var header http.Header
	local, _ := serve(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		readCatalogue(t, "same").serve(w, r)
	})
	local.key = Key{}
	if _, err := local.Catalogue(t.Context()); err != nil || header["Authorization"] != nil {
		t.Errorf("%v, %v", err, header)
	}
}

// TestCatalogueEnds: it waits ten seconds and not more, for the head and for
// the rest, and no longer than its caller.
func TestCatalogueEnds(t *testing.T) {
	for name, answer := range map[string]string{
		"silent":  "",
		"stalled": "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"models\":[",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := mustMake(t, provider.Config{Endpoint: "http://127.0.0.1:1/v1"})
				m.dial = func(context.Context, string, string) (net.Conn, error) {
					client, server := net.Pipe()
					go func() {
						if _, err := http.ReadRequest(bufio.NewReader(server)); err != nil {
							t.Error(err)
						}
						io.WriteString(server, answer)
					}()
					return client, nil
				}
				start := time.Now()
				_, err := m.Catalogue(t.Context())
				if e := asError(t, err); e.Kind != provider.NotSent || !strings.Contains(e.Message, "10s") || time.Since(start) != catalogueTime {
					t.Errorf("%v after %s", e, time.Since(start))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := m.Catalogue(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		})
	}
}

// TestCatalogueTooLong: it is read only so far.
func TestCatalogueTooLong(t *testing.T) {
	t.Parallel()
	m, _ := serve(t, provider.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"models":[`)
		for range 5 {
			fmt.Fprintf(w, `{"id":%q},`, strings.Repeat("x", 1<<20))
		}
		io.WriteString(w, `{}]}`)
	})
	_, err := m.Catalogue(t.Context())
	if e := asError(t, err); e.Kind != provider.NotSent {
		t.Error(e)
	}
}

// TestSampleRequests: what doctor sends is within each offer, and priced.
func TestSampleRequests(t *testing.T) {
	t.Parallel()
	for _, wire := range []string{"current", "documented"} {
		m := mustMake(t, provider.Config{Wire: wire})
		for _, o := range Offers(m.cfg) {
			requests := providertest.Requests(o)
			if len(requests) != map[bool]int{false: 3, true: 4}[o.Mask] {
				t.Errorf("%s: %d requests", o.Model, len(requests))
			}
			for _, r := range requests {
				if err := m.check(r, &o); err != nil {
					t.Errorf("%s: %v", o.Model, err)
				}
				if _, ok := o.Price(r); !ok {
					t.Errorf("%s: no price for %+v", o.Model, r.Fields())
				}
			}
		}
	}
}
