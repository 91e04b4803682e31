package xai

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const date = "Sun, 22 Nov 2026 10:00:00 GMT" // two hours before our clock
	for _, tt := range []struct {
		header []string
		want   time.Duration
	}{
		{nil, 0},
		{[]string{"Retry-After", "3"}, 3 * time.Second},
		{[]string{"Retry-After", " 1.5 "}, 1500 * time.Millisecond},
		{[]string{"Retry-After", "0"}, 0},
		{[]string{"Retry-After", "-1"}, 0},
		{[]string{"Retry-After", "NaN"}, 0},
		{[]string{"Retry-After", "Inf"}, time.Hour},
		{[]string{"Retry-After", "1e300"}, time.Hour},
		{[]string{"Retry-After", "315360000"}, time.Hour},
		{[]string{"Retry-After", "soon"}, 0},
		{[]string{"Retry-After-Ms", "50", "Retry-After", "3"}, 50 * time.Millisecond},
		{[]string{"Retry-After-Ms", "x", "Retry-After", "3"}, 3 * time.Second},
		{[]string{"Retry-After-Ms", "1e18"}, time.Hour},
		{[]string{"Date", date, "Retry-After", "Sun, 22 Nov 2026 10:00:30 GMT"}, 30 * time.Second},
		{[]string{"Date", date, "Retry-After", "Sun, 22 Nov 2026 09:00:00 GMT"}, 0},
		{[]string{"Date", date, "Retry-After", "Sun, 22 Nov 2037 10:00:30 GMT"}, time.Hour},
		{[]string{"Retry-After", "Sun, 22 Nov 2026 12:00:05 GMT"}, 5 * time.Second}, // our clock
		{[]string{"Date", "now", "Retry-After", "Sun, 22 Nov 2026 12:00:05 GMT"}, 5 * time.Second},
	} {
		h := http.Header{}
		for i := 0; i < len(tt.header); i += 2 {
			h.Set(tt.header[i], tt.header[i+1])
		}
		if got := mustMake(t, provider.Config{}).retryAfter(h); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.header, got, tt.want)
		}
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		endpoint string
		trust    []string
		ok       bool
	}{
		{"", nil, true},
		{"https://api.x.ai/v1", nil, true},
		{"https://API.x.ai/v1/", nil, true},
		{"http://api.x.ai/v1", nil, false},
		{"https://api.x.ai.evil.example/v1", nil, false},
		{"https://evil.example/api.x.ai", nil, false},
		{"https://api.x.ai@evil.example/v1", []string{"evil.example"}, false}, // a user
		{"https://eu.example/v1", nil, false},
		{"https://eu.example/v1", []string{""}, false},
		{"https://eu.example/v1", []string{"eu.example"}, true},
		{"https://eu.example:8443/v1", []string{"EU.example"}, true},
		{"https://eu.example:8443/v1", []string{"eu.example:8443"}, true},
		{"https://eu.example:8444/v1", []string{"eu.example:8443"}, false},
		{"https://sub.eu.example/v1", []string{"eu.example"}, false},
		{"http://eu.example/v1", []string{"eu.example"}, false},
		{"http://eu.example/v1", []string{"http://eu.example"}, true},
		{"http://127.0.0.1:9/v1", nil, true},
		{"http://[::1]:9/v1", nil, true},
		{"http://localhost:9/v1", nil, true},
		{"http://localhost.evil.example:9/v1", nil, false},
		{"http://2130706433/", nil, false},
		{"ftp://127.0.0.1/", nil, false},
		{"127.0.0.1:9", nil, false},
		{"https://api.x.ai/v1?x=1", nil, false},
	} {
		_, err := New(provider.Config{Endpoint: tt.endpoint}, Options{Key: NewKey(canary), Trust: tt.trust})
		if (err == nil) != tt.ok {
			t.Errorf("%q trusting %q: %v", tt.endpoint, tt.trust, err)
		}
		if err != nil {
			if e := asError(t, err); e.Kind != provider.Credentials || e.Hint == "" {
				t.Errorf("%q: %+v", tt.endpoint, e)
			}
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	k := NewKey(" " + canary + "\n")
	type holder struct {
		K    Key
		k    Key
		list []any
	}
	h := holder{k, k, []any{k, &k}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{k, &k, h, &h, []Key{k}, map[string]Key{"": k}, fmt.Errorf("%v", k)} {
			s := fmt.Sprintf(verb, v)
			if strings.Contains(s, canary) || strings.Contains(s, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s prints %s", verb, s)
			}
		}
	}
	if b, err := json.Marshal(k); err != nil || string(b) != `"[key]"` {
		t.Errorf("%s, %v", b, err)
	}
	if !NewKey(" \n").IsZero() {
		t.Error("white space is a key")
	}
	for _, bad := range []string{canary + "\nX-Evil: 1", canary + " x", canary + "é", canary + "\x00"} {
		_, err := New(provider.Config{}, Options{Key: NewKey(bad)})
		if e := asError(t, err); e.Kind != provider.Credentials {
			t.Error(e)
		}
	}
}

// TestEcho: a server that repeats the key everywhere does not get it into an
// error.
func TestEcho(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 303, 308, 400, 401, 403, 429, 500} {
		m, _ := serve(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) {
			key := r.Header.Get("Authorization")
			w.Header().Set("X-Request-Id", key)
			w.Header().Set("Location", "/"+canary)
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"code":%q,"error":{"message":%q,"code":%q}}`, key, key, key)
		})
		_, err := m.Make(t.Context(), generate(1), &providertest.Recorder{})
		if e := asError(t, err); !strings.Contains(e.Message+e.Code+e.RequestID, "[key]") {
			t.Errorf("%d: the echo did not arrive: %+v", status, e)
		}
	}
}

func TestMissingKey(t *testing.T) {
	t.Parallel()
	m, err := New(provider.Config{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var s providertest.Recorder
	_, err = m.Make(t.Context(), generate(1), &s)
	if e := asError(t, err); e.Kind != provider.Credentials || !strings.Contains(e.Hint, "XAI_API_KEY") || len(s.Events) != 0 {
		t.Errorf("%+v", e)
	}
}

func TestOffers(t *testing.T) {
	t.Parallel()
	in := []provider.Input{{}, {}}
	for _, tt := range []struct {
		wire    string
		request provider.Request
		want    string
	}{
		{"documented", provider.Request{}, "$0.02"},
		{"documented", provider.Request{Inputs: in[:1]}, "$0.022"},
		{"current", provider.Request{Resolution: "2k"}, "$0.02"},
		{"current", provider.Request{Model: "grok-imagine-image-2.0", Resolution: "1k", Quality: "low"}, "$0.04"},
		{"current", provider.Request{Model: "grok-imagine-image-2.0", Resolution: "1k", Quality: "medium"}, "$0.06"},
		{"current", provider.Request{Model: "grok-imagine-image-2.0", Resolution: "2k", Quality: "low"}, "$0.06"},
		{"current", provider.Request{Model: "grok-imagine-image-2.0", Resolution: "2k", Quality: "medium", Inputs: in}, "$0.10"},
		{"current", provider.Request{Model: "grok-imagine-image-2.0"}, "$0.04"},
		{"current", provider.Request{Model: "grok-imagine-image-2.0", Resolution: "1.5k", Quality: "low"}, "unknown"},
		{"current", provider.Request{Model: "grok-imagine-image-pro", Resolution: "2k"}, "$0.06"},
		{"current", provider.Request{Model: "grok-imagine-image-quality-latest", Inputs: in[:1]}, "$0.05"},
	} {
		o, ok := Offer(provider.Config{Wire: tt.wire}, tt.request.Model)
		if !ok {
			t.Fatalf("%s: no %q", tt.wire, tt.request.Model)
		}
		got := "unknown"
		if m, ok := o.Price(&tt.request); ok {
			got = m.String()
		}
		if got != tt.want {
			t.Errorf("%s %+v: %s, want %s", tt.wire, tt.request, got, tt.want)
		}
	}
	for _, wire := range []string{"", "current", "documented"} {
		for _, o := range Offers(provider.Config{Wire: wire}) {
			for _, err := range providertest.CheckOffer(o) {
				t.Error(err)
			}
			if o.Mask != (wire == "documented") || (len(o.Sizes) > 0) != (wire == "documented") || (len(o.Styles) > 0) != (wire == "documented") {
				t.Errorf("%s %s: %+v", wire, o.Model, o)
			}
		}
	}
	o, _ := Offer(provider.Config{Wire: "documented"}, "")
	for ratio, want := range map[string]string{"1:1": "1024x1024", "16:9": "1792x1024", "9:16": "1024x1792", "4:3": ""} {
		if s, ok := o.Pixels(ratio, ""); s.String() != want || ok != (want != "") {
			t.Errorf("%s: %s, %v", ratio, s, ok)
		}
	}
}

func TestBase64(t *testing.T) {
	t.Parallel()
	long := make([]byte, 100_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range long {
		long[i] = byte(rng.Uint32())
	}
	std := base64.StdEncoding.EncodeToString
	for name, tt := range map[string]struct {
		json string // inside the quotes
		want []byte
		bad  string
	}{
		"plain":              {std(long), long, ""},
		"one byte":           {std(long[:1]), long[:1], ""},
		"two bytes":          {std(long[:2]), long[:2], ""},
		"a chunk exactly":    {std(long[:6<<10]), long[:6<<10], ""},
		"a chunk and one":    {std(long[:6<<10+1]), long[:6<<10+1], ""},
		"escaped slashes":    {strings.ReplaceAll(std(long), "/", `\/`), long, ""},
		"escaped plus":       {strings.ReplaceAll(std(long), "+", `\u002b`), long, ""},
		"lines":              {strings.ReplaceAll(std(long), "A", `A\n`), long, ""},
		"data URL":           {"data:image/png;base64," + std(long), long, ""},
		"data URL, no base":  {"data:image/png," + std(long), nil, "not base64"},
		"URL alphabet":       {base64.URLEncoding.EncodeToString(long), nil, "broken"},
		"no padding":         {base64.RawStdEncoding.EncodeToString(long[:4]), nil, "broken"},
		"padding inside":     {std(long[:1]) + std(long[:3]), nil, "broken"},
		"more after padding": {std(long[:6<<10-1]) + std(long[:3]), nil, "broken"},
		"loose last bits":    {"AB==", nil, "broken"},
		"unicode":            {`é`, nil, "broken"},
		"escaped unicode":    {`\u00e9AAA`, nil, "broken"},
		"empty":              {"", nil, "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := serve(t, provider.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, `{"data":[{"b64_json":"`+tt.json+`"}],"usage":{"cost_in_usd_ticks":5}}`)
			})
			var s providertest.Recorder
			_, err := m.Make(t.Context(), generate(1), &s)
			if tt.bad == "" {
				if err != nil || !bytes.Equal(s.Spools[0], tt.want) || s.Count("delivered 0") != 1 {
					t.Errorf("%v, %d bytes, want %d; %q", err, len(s.Spools[0]), len(tt.want), s.Events)
				}
				return
			}
			e := asError(t, err)
			if e.Kind != provider.Unusable || e.Price != 5 || !e.Priced || !strings.Contains(e.Message, tt.bad) || len(s.Images) != 0 {
				t.Errorf("%+v, %q", e, s.Events)
			}
		})
	}
}

// TestHollow: what is inline and what is not is decided by where it stands.
func TestHollow(t *testing.T) {
	t.Parallel()
	pic := base64.StdEncoding.EncodeToString(aPNG)
	for name, tt := range map[string]struct {
		body   string
		events string
		err    string
	}{
		"key order":        {`{"usage":{"cost_in_usd_ticks":7},"data":[{"revised_prompt":"x","b64_json":"` + pic + `"}]}`, "sent|spool 0|close 0|delivered 0", ""},
		"escaped key":      {`{"data":[{"b64\u005fjson":"` + pic + `"}]}`, "sent|spool 0|close 0|delivered 0", ""},
		"elsewhere":        {`{"b64_json":"x","data":[{"nested":{"b64_json":"x"},"url":"u"}],"other":[{"b64_json":"x"}]}`, "sent|delivered 0", ""},
		"as text":          {`{"data":[{"revised_prompt":"\"b64_json\":\"x\\","url":"u"}]}`, "sent|delivered 0", ""},
		"null":             {`{"data":[{"b64_json":null,"url":"u"}]}`, "sent|delivered 0", ""},
		"wrong types":      {`{"data":[{"url":"u","mime_type":5,"revised_prompt":{}}],"usage":[],"model":null,"created":"x"}`, "sent|delivered 0", ""},
		"duplicate keys":   {`{"data":[{"url":"a"}],"data":[{"url":"u"}]}`, "sent|delivered 0|delivered 1", ""},
		"BOM and space":    {"\ufeff \n{ \"data\" : [ { \"url\" : \"u\" } ] } trailing", "sent|delivered 0", ""},
		"nested arrays":    {`{"data":[[{"b64_json":"x"}],{"url":"u"}]}`, "sent|delivered 0", ""},
		"moderated second": {`{"data":[{"b64_json":"` + pic + `"},{"b64_json":"` + pic + `","respect_moderation":false}]}`, "sent|spool 0|close 0|spool 1|close 1|delivered 0|delivered 1", ""},
		"second broken":    {`{"data":[{"b64_json":"` + pic + `"},{"b64_json":"!!!!"}],"usage":{"cost_in_usd_ticks":7}}`, "sent|spool 0|close 0|delivered 0", "unusable (HTTP 200): image 2: its base64 is broken"},
		"twice in one":     {`{"data":[{"b64_json":"` + pic + `","b64_json":"` + pic + `"}]}`, "sent|spool 0|close 0|spool 0|close 0", "two b64_json"},
		"data is null":     {`{"data":null}`, "sent", "in doubt"},
		"data is a text":   {`{"data":"x"}`, "sent", "in doubt"},
		"an array":         {`[{"data":[]}]`, "sent", "in doubt"},
		"a string":         {`"data"`, "sent", "in doubt"},
		"brackets crossed": {`{"data":[}]`, "sent", "in doubt"},
		"bad number":       {`{"data":[{"url":"u","n":-}]}`, "sent", "in doubt"},
		"success is error": {`{"code":"x","error":"rejected by content moderation","usage":{"cost_in_usd_ticks":7}}`, "sent", "moderated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := serve(t, provider.Config{}, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, tt.body) })
			var s providertest.Recorder
			_, err := m.Make(t.Context(), generate(1), &s)
			if d := cmp.Diff(tt.events, strings.Join(s.Events, "|")); d != "" {
				t.Error(d)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

// counting is a sink that keeps nothing, so that memory is the client's alone.
type counting struct {
	providertest.Recorder
	bytes int64
}

func (c *counting) Spool(int) (io.WriteCloser, error) { return c, nil }
func (c *counting) Write(p []byte) (int, error)       { c.bytes += int64(len(p)); return len(p), nil }
func (c *counting) Close() error                      { return nil }

// TestInlineMemory: ten pictures of 3 MiB take less memory than one of them.
func TestInlineMemory(t *testing.T) {
	const n, size = 10, 3 << 20
	block := []byte(strings.Repeat("AAAA", 16<<10)) // 48 KiB of zeros
	m, _ := serve(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for i := range n {
			io.WriteString(w, map[bool]string{true: `{"data":[`, false: ","}[i == 0]+`{"b64_json":"`)
			for range size / (48 << 10) {
				w.Write(block)
			}
			io.WriteString(w, `"}`)
		}
		io.WriteString(w, `]}`)
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var s counting
	if _, err := m.Make(t.Context(), generate(n), &s); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if want := int64(n * (size / (48 << 10)) * (48 << 10)); s.bytes != want {
		t.Errorf("%d bytes, want %d", s.bytes, want)
	}
	if total := after.TotalAlloc - before.TotalAlloc; total > 2<<20 {
		t.Errorf("%d bytes were allocated, the server's included", total)
	}
}

// TestTooLong: a picture over the limit is dropped as it arrives.
func TestTooLong(t *testing.T) {
	t.Parallel()
	block := strings.Repeat("AAAA", 64<<10) // 192 KiB
	m, _ := serve(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"data":[{"b64_json":"`+block+block+`"},{"url":"u"}]}`)
	})
	if m.maxImage != 64<<20 {
		t.Errorf("the limit is %d", m.maxImage)
	}
	m.maxImage = 300 << 10
	var s counting
	_, err := m.Make(t.Context(), generate(1), &s)
	if e := asError(t, err); e.Kind != provider.Unusable || s.bytes > m.maxImage || s.Count("delivered 1") != 1 {
		t.Errorf("%v after %d bytes: %q", e, s.bytes, s.Events)
	}
	// One that never ends is not read for ever.
	m, _ = serve(t, provider.Config{}, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"data":[{"b64_json":"`)
		for r.Context().Err() == nil {
			io.WriteString(w, block)
		}
	})
	m.maxImage = 300 << 10
	_, err = m.Make(t.Context(), generate(1), &counting{})
	if e := asError(t, err); e.Kind != provider.InDoubt {
		t.Error(e)
	}
}

func TestSinkFullWhileSpooling(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	m, _ := serve(t, provider.Config{}, readFixture(t, "ok_b64").serve)
	for _, event := range []string{"spool 0", "close 0", "delivered 0"} {
		s := providertest.Recorder{Fail: map[string]error{event: full}}
		if _, err := m.Make(t.Context(), generate(1), &s); !errors.Is(err, full) {
			t.Errorf("%s: %v", event, err)
		}
	}
}

// receive reads a reply and tells s of it.
func receive(m *maker, resp *http.Response, offer *provider.Offer, s provider.Sink) (provider.Reply, error) {
	a, err := m.read(resp, 1, s)
	if err != nil {
		return provider.Reply{}, err
	}
	return m.deliver(a, generate(1), offer, s)
}

func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"data":[{"b64_json":"AAAA"},{"url":"u"}],"usage":{"cost_in_usd_ticks":7}}`))
	f.Add([]byte(`{"data":[{"b64_json":"data:image/png;base64,AA==","respect_moderation":false}]}`))
	f.Add([]byte(`{"error":{"message":"m"}}`))
	m, err := newMaker(provider.Config{}, Options{Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	offer, _ := m.Offer("")
	f.Fuzz(func(t *testing.T, body []byte) {
		var s providertest.Recorder
		resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
		_, err := receive(m, resp, &offer, &s)
		if err == nil && len(s.Images) == 0 {
			t.Error("success without an image")
		}
		resp.StatusCode, resp.Body = 400, io.NopCloser(bytes.NewReader(body))
		if e := m.refusal(resp); e.Kind < provider.NotSent || e.Kind > provider.InDoubt {
			t.Error(e.Kind)
		}
	})
}

func BenchmarkInline(b *testing.B) {
	pic := base64.StdEncoding.EncodeToString(make([]byte, 3<<20))
	body := []byte(`{"data":[{"b64_json":"` + pic + `"}]}`)
	m, err := newMaker(provider.Config{}, Options{Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	offer, _ := m.Offer("")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
		if _, err := receive(m, resp, &offer, &counting{}); err != nil {
			b.Fatal(err)
		}
	}
}
