package xai

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

// pipes is a listener for connections within a bubble of synctest.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// inTime runs f in the time of synctest, with a maker whose server is h.
func inTime(t *testing.T, cfg provider.Config, h http.HandlerFunc, f func(*testing.T, *maker)) {
	synctest.Test(t, func(t *testing.T) {
		listener := make(pipes)
		server := &http.Server{Handler: h, Protocols: new(http.Protocols)}
		server.Protocols.SetHTTP1(true)
		server.Protocols.SetUnencryptedHTTP2(true)
		go server.Serve(listener)
		cfg.Endpoint, cfg.Deferred = "http://127.0.0.1:1/v1", cfg.Transport != "grpc"
		m := mustMake(t, cfg)
		m.dial = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			listener <- theirs
			return ours, nil
		}
		f(t, m)
		m.fetches.CloseIdleConnections()
		server.Close()
		time.Sleep(time.Minute) // handlers that sleep see that nobody listens
	})
}

const jobID = "0f6a3f4e-5b1c-4f0e-9d2a-1234567890ab"

// jobServer takes a job and answers the polls in turn, the last answer for
// ever. An answer is a status and a body.
type jobServer struct {
	t     *testing.T
	polls []string
	at    []time.Duration // of the polls, since the POST
	posts int
	begun time.Time
}

func (j *jobServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Method == "POST" {
		var got map[string]any
		if err := json.Unmarshal(body, &got); err != nil || got["deferred"] != true {
			j.t.Errorf("%v: %s", err, body)
		}
		j.posts++
		j.begun = time.Now()
		io.WriteString(w, `{"request_id":"`+jobID+`"}`)
		return
	}
	if r.URL.Path != "/v1/images/"+jobID || r.Header.Get("Authorization") != "Bearer "+canary {
		j.t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
	j.at = append(j.at, time.Since(j.begun))
	answer := j.polls[min(len(j.at), len(j.polls))-1]
	status, text, _ := strings.Cut(answer, " ")
	switch status {
	case "cut":
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, text)
		panic(http.ErrAbortHandler)
	case "drip":
		for range 10_000 {
			io.WriteString(w, " ")
			w.(http.Flusher).Flush()
			if r.Context().Err() != nil {
				return
			}
			time.Sleep(25 * time.Second)
		}
	case "429h":
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(429)
	case "202":
		w.WriteHeader(202)
	case "429":
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(429)
	case "500":
		w.WriteHeader(500)
	case "401":
		w.WriteHeader(401)
	case "404":
		w.WriteHeader(404)
	}
	io.WriteString(w, text)
}

const jobDone = `200 {"request_id":"` + jobID + `","status":"done","data":[{"url":"https://imgen.x.ai/a.jpg","mime_type":"image/jpeg","revised_prompt":"r"}],"usage":{"cost_in_usd_ticks":200000000}}`

func TestJob(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		polls  []string
		kind   provider.Kind // 0: one image
		price  provider.Money
		events []string
		says   string
		asked  int
		within time.Duration
	}{
		"at once":                  {polls: []string{jobDone}, asked: 1, within: 100 * time.Millisecond},
		"after a while":            {polls: []string{"202", "202 ", `202 {"status":"pending"}`, `200 {"status":"pending"}`, jobDone}, asked: 5, within: 10 * time.Second},
		"after trouble":            {polls: []string{"500", "cut {", "404", jobDone}, asked: 4, within: 10 * time.Second},
		"after a limit":            {polls: []string{"429", jobDone}, asked: 2, within: 21 * time.Second, events: []string{"waiting 20s"}},
		"garbage":                  {polls: []string{"200 <html>"}, kind: provider.Unfinished, asked: whileSent.unheard, within: 3 * time.Minute},
		"unavailable":              {polls: []string{"500"}, kind: provider.Unfinished, asked: whileSent.unheard, within: 3 * time.Minute},
		"never":                    {polls: []string{"202"}, kind: provider.Unfinished, asked: 301, within: jobTime + time.Second},
		"limited for an hour":      {polls: []string{"429h"}, kind: provider.Unfinished, asked: 15, within: jobTime + time.Second},
		"drips":                    {polls: []string{"drip", jobDone}, asked: 2, within: time.Minute},
		"another word for pending": {polls: []string{`200 {"status":"RUNNING","data":[]}`, `200 {"status":"Pending","data":[]}`, jobDone}, asked: 3, within: 10 * time.Second},
		"expired":                  {polls: []string{`200 {"status":"expired"}`}, kind: provider.InDoubt, asked: whileSent.unknown, within: time.Minute},
		"the key is bad":           {polls: []string{"401"}, kind: provider.Unfinished, asked: 1, within: time.Second},
		"forgotten":                {polls: []string{"202", "404"}, kind: provider.InDoubt, asked: 1 + whileSent.unknown, within: time.Minute},
		"known late":               {polls: []string{"404", "404", "404", "404", jobDone}, asked: 5, within: 15 * time.Second},
		"failed, barely":           {polls: []string{`200 {"status":"failed","error":"boom"}`}, kind: provider.Rejected, says: "the job failed: boom", asked: 1, within: time.Second},
		"not permitted":            {polls: []string{`200 {"status":"failed","error":{"code":"permission_denied","message":"safety system"}}`}, kind: provider.Moderated, says: "safety system", asked: 1, within: time.Second},
		"no images, spaced":        {polls: []string{`200 {"status":"done","data":[ ],"usage":{"cost_in_usd_ticks":7}}`}, kind: provider.Moderated, price: 7, asked: 1, within: time.Second},
		"failed": {polls: []string{`200 {"status":"failed","error":{"code":"internal_error","message":"m"}}`},
			kind: provider.Rejected, asked: 1, within: time.Second},
		"failed and billed": {polls: []string{`200 {"status":"failed","error":{"code":"internal_error","message":"m"},"usage":{"cost_in_usd_ticks":7}}`},
			kind: provider.Unusable, price: 7, asked: 1, within: time.Second},
		"moderated": {polls: []string{`200 {"status":"failed","error":{"code":"permission_denied","message":"Generated image rejected by content moderation."},"usage":{"cost_in_usd_ticks":7}}`},
			kind: provider.Moderated, price: 7, asked: 1, within: time.Second},
		"moderated by a flag": {polls: []string{`200 {"status":"done","data":[{"url":null,"respect_moderation":false}],"usage":{"cost_in_usd_ticks":7}}`},
			kind: provider.Moderated, price: 7, asked: 1, within: time.Second},
		"no images": {polls: []string{`200 {"status":"done","data":[],"usage":{"cost_in_usd_ticks":7}}`},
			kind: provider.Moderated, price: 7, asked: 1, within: time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := &jobServer{t: t, polls: tt.polls}
			inTime(t, provider.Config{}, server.ServeHTTP, func(t *testing.T, m *maker) {
				var s providertest.Recorder
				begun := time.Now()
				reply, err := m.Make(t.Context(), generate(1), &s)
				if took := time.Since(begun); took > tt.within || len(server.at) != tt.asked {
					t.Errorf("asked %d times in %s, want %d in at most %s", len(server.at), took, tt.asked, tt.within)
				}
				if server.posts != 1 || len(s.Events) < 2 || s.Events[0] != "sent" || s.Events[1] != "accepted "+jobID {
					t.Errorf("%d POSTs, %q", server.posts, s.Events)
				}
				for _, e := range tt.events {
					if !slices.ContainsFunc(s.Events, func(got string) bool { return strings.HasPrefix(got, e) }) {
						t.Errorf("no %q in %q", e, s.Events)
					}
				}
				if tt.kind == 0 {
					if err != nil || len(s.Images) != 1 || s.Images[0].RevisedPrompt != "r" || reply.Price != 2*cent {
						t.Errorf("%v: %+v, %+v", err, s.Images, reply)
					}
					return
				}
				if e := asError(t, err); e.Kind != tt.kind || e.Price != tt.price || len(s.Images) > 0 || !strings.Contains(e.Message, tt.says) {
					t.Errorf("%+v, want %v for %s, saying %q", e, tt.kind, tt.price, tt.says)
				}
			})
		})
	}
}

// Eight jobs at once stay below the lowest known limit of 6 requests a second.
func TestPollsBecomeRare(t *testing.T) {
	t.Parallel()
	server := &jobServer{t: t, polls: []string{"202"}}
	inTime(t, provider.Config{}, server.ServeHTTP, func(t *testing.T, m *maker) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := m.Make(ctx, generate(1), &providertest.Recorder{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if rate := float64(len(server.at)) / 60; rate > 6.0/8 {
			t.Errorf("%.2f polls a second", rate)
		}
	})
}

// A later run asks for the job and sends nothing.
func TestResume(t *testing.T) {
	t.Parallel()
	server := &jobServer{t: t, polls: []string{"202", jobDone}}
	inTime(t, provider.Config{}, server.ServeHTTP, func(t *testing.T, m *maker) {
		var s providertest.Recorder
		request := generate(1)
		request.Model = "a model of another version"
		if _, err := m.Resume(t.Context(), jobID, request, &s); err != nil || len(s.Images) != 1 || server.posts != 0 {
			t.Errorf("%v: %+v, %d POSTs", err, s.Images, server.posts)
		}
		for _, id := range []string{"", "..", "../api-key", "a/b", "a?b", "..%2fb", strings.Repeat("a", 501), "a b", "\x00", "\u00e9"} {
			if _, err := m.Resume(t.Context(), id, request, &s); asError(t, err).Kind != provider.InDoubt {
				t.Errorf("%q: %v", id, err)
			}
		}
		if len(server.at) != 2 {
			t.Errorf("asked %d times", len(server.at))
		}
	})
}

// A server that does not know deferred answers at once; one that defers unasked,
// or has more to say beside the id, has taken a job all the same.
func TestNotDeferred(t *testing.T) {
	t.Parallel()
	for _, accepted := range []string{`{"request_id":"job-1"}`, `{"request_id":"job-1","status":"pending","data":[]}`} {
		h := func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // who answers earlier may close before all is sent
			if r.Method == "POST" {
				io.WriteString(w, accepted)
				return
			}
			io.WriteString(w, strings.TrimPrefix(jobDone, "200 "))
		}
		inTime(t, provider.Config{}, h, func(t *testing.T, m *maker) {
			m.cfg.Deferred = false
			var s providertest.Recorder
			if _, err := m.Make(t.Context(), generate(1), &s); err != nil || len(s.Images) != 1 || s.Count("accepted job-1") != 1 {
				t.Errorf("%s: %v: %q", accepted, err, s.Events)
			}
		})
	}
	plain := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"data":[{"url":"https://imgen.x.ai/a.jpg"}]}`)
	}
	inTime(t, provider.Config{}, plain, func(t *testing.T, m *maker) {
		var s providertest.Recorder
		if _, err := m.Make(t.Context(), generate(1), &s); err != nil || len(s.Images) != 1 {
			t.Errorf("%v: %+v", err, s.Images)
		}
	})
}
