package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/imaging"
)

// submitted is what the answer to a deferred request says.
func submitted(t *testing.T, a answer) string {
	t.Helper()
	var reply map[string]string
	if err := json.Unmarshal(a.body, &reply); err != nil || a.status != 200 || len(reply) != 1 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	id := reply["request_id"]
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("no UUID: %s", id)
	}
	return id
}

func TestDeferredRequests(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"openapi_deferred.http":      "2 of 1024x1024, 400000000",
		"openapi_deferred_edit.http": "1 of 48x32, 220000000",
	} {
		for _, profile := range []string{"documented", "current"} {
			t.Run(profile+" "+name, func(t *testing.T) {
				t.Parallel()
				faults, err := ParseFaults([]byte(`[{"match":{"method":"POST"},"do":{"pending":3}}]`))
				if err != nil {
					t.Fatal(err)
				}
				s, url := serve(t, Config{Profile: profile, Key: key, Faults: faults})
				id := submitted(t, record(t, url, name, key))
				charged := s.Stats()
				poll := func() answer {
					req, _ := http.NewRequest("GET", url+"/v1/images/"+id, nil)
					req.Header.Set("Authorization", "Bearer "+key)
					resp, err := http.DefaultClient.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					return read(t, resp)
				}
				for _, want := range []string{"", `{"request_id":"` + id + `","status":"pending"}` + "\n", ""} {
					if a := poll(); a.status != 202 || string(a.body) != want {
						t.Errorf("%d %s", a.status, a.body)
					}
				}
				a, again := poll(), poll()
				if !bytes.Equal(a.body, again.body) {
					t.Error("two polls of what is done differ")
				}
				_, info, err := imaging.Decode(get(t, *a.reply.Data[0].URL).body, imaging.DefaultLimits)
				if err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprintf("%d of %dx%d, %d", len(a.reply.Data), info.Width, info.Height, a.reply.Usage.Ticks); got != want {
					t.Errorf("%s, want %s", got, want)
				}
				if !strings.Contains(string(a.body), `"status":"done"`) || !strings.Contains(string(a.body), id) || a.reply.Model != "grok-imagine-image" {
					t.Errorf("%s", a.body)
				}
				st := s.Stats()
				if st.Requests != 1 || st.Polls != 5 || len(st.Charges) != 1 {
					t.Errorf("%+v", st)
				}
				if d := cmp.Diff(charged.Charges, st.Charges); d != "" {
					t.Error("charged when it was fetched:", d)
				}
			})
		}
	}
}

// TestJobFaults: what a poll tells, and what was paid. Two submissions of one
// request are two jobs.
func TestJobFaults(t *testing.T) {
	t.Parallel()
	const edited = 220000000
	usage := `,"usage":{"cost_in_usd_ticks":220000000}`
	for name, tt := range map[string]struct {
		do, want string // the id stands as ID
		ticks    int64
		images   int
	}{
		"failed":              {`{"job":"failed"}`, `200 {"request_id":"ID","status":"failed","error":{"code":"internal_error","message":"The job failed."}}`, 0, 0},
		"failed, billed":      {`{"job":"service_unavailable","billed":true,"body":"no capacity"}`, `200 {"request_id":"ID","status":"failed","error":{"code":"service_unavailable","message":"no capacity"}` + usage + `}`, edited, 1},
		"permission_denied":   {`{"job":"permission_denied"}`, `200 {"request_id":"ID","status":"failed","error":{"code":"permission_denied","message":"The job failed."}}`, 0, 0},
		"expired":             {`{"job":"expired"}`, `404 {"code":"Some requested entity was not found","error":"The request ID does not exist or has expired."}`, edited, 1},
		"expired, free":       {`{"job":"expired","billed":false}`, `404 {"code":"Some requested entity was not found","error":"The request ID does not exist or has expired."}`, 0, 0},
		"moderated 400":       {`{"moderated":"400"}`, `200 {"request_id":"ID","status":"failed","error":{"code":"invalid_argument","message":"Generated image rejected by content moderation."}` + usage + `}`, edited, 1},
		"moderated 400, free": {`{"moderated":"400","billed":false}`, `200 {"request_id":"ID","status":"failed","error":{"code":"invalid_argument","message":"Generated image rejected by content moderation."}}`, 0, 0},
		"moderated flag":      {`{"moderated":"flag"}`, `200 {"request_id":"ID","status":"done","created":1699000000,"data":[{"respect_moderation":false}],"model":"grok-imagine-image"` + usage + `}`, edited, 1},
		"moderated empty":     {`{"moderated":"empty"}`, `200 {"request_id":"ID","status":"done","created":1699000000,"data":[],"model":"grok-imagine-image"` + usage + `}`, edited, 1},
		"done, free":          {`{"moderated":"empty","billed":false}`, `200 {"request_id":"ID","status":"done","created":1699000000,"data":[],"model":"grok-imagine-image","usage":{"cost_in_usd_ticks":0}}`, 0, 0},
		"none":                {`{"n":0}`, `200 {"request_id":"ID","status":"done","created":1699000000,"data":[],"model":"grok-imagine-image","usage":{"cost_in_usd_ticks":20000000}}`, 20000000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults, err := ParseFaults([]byte(`[{"times":1,"do":` + tt.do + `}]`))
			if err != nil {
				t.Fatal(err)
			}
			s, url := serve(t, Config{Faults: faults})
			id := submitted(t, post(t, url, edits, small(`,"deferred":true`)))
			a := get(t, url+"/v1/images/"+id)
			got := fmt.Sprintf("%d %s", a.status, strings.ReplaceAll(strings.TrimSpace(string(a.body)), id, "ID"))
			if got != tt.want {
				t.Error(cmp.Diff(tt.want, got))
			}
			if st := s.Stats(); st.Ticks != tt.ticks || st.Images != tt.images {
				t.Errorf("%+v", st)
			}
			if again := submitted(t, post(t, url, edits, small(`,"deferred":true`))); again == id {
				t.Error("the same id twice")
			}
		})
	}
}

// TestPollFaults: the faults of a GET are for polls too; a prompt alone is not.
func TestPollFaults(t *testing.T) {
	t.Parallel()
	faults, err := ParseFaults([]byte(`[
		{"match": {"prompt_contains": "lake", "nth": 2}, "do": {"status": 500}},
		{"match": {"method": "GET", "path": "/v1/images/*", "prompt_contains": "lake", "nth": 1}, "do": {"status": 429, "retry_after": "1"}},
		{"match": {"method": "GET", "path": "/v1/images/*", "nth": 2}, "do": {"drop": "mid-body"}},
		{"match": {"method": "GET", "path": "/v1/images/*", "nth": 3}, "do": {"drop": "after-request"}},
		{"match": {"method": "GET", "prompt_contains": "lake", "path": "/images/"}, "do": {"status": 404}}]`))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	_, url := serve(t, Config{Faults: faults, Log: &log})
	id := submitted(t, post(t, url, edits, small(`,"deferred":true`)))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var got []string
	for range 4 {
		req, _ := http.NewRequest("GET", url+"/v1/images/"+id, nil)
		resp, err := client.Do(req)
		if err != nil {
			got = append(got, "broken")
			continue
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(resp.Body); err != nil {
			got = append(got, "cut")
		} else {
			got = append(got, resp.Status)
		}
		resp.Body.Close()
	}
	if d := cmp.Diff([]string{"429 Too Many Requests", "cut", "broken", "200 OK"}, got); d != "" {
		t.Error(d)
	}
	pic := *get(t, url+"/v1/images/"+id).reply.Data[0].URL
	if a := get(t, pic); a.status != 404 {
		t.Errorf("the download: %d", a.status)
	}
	if a := post(t, url, edits, small("")); a.status != 500 {
		t.Errorf("the second POST: %d", a.status)
	}
	if want := `{"method":"GET","path":"/v1/images/` + id + `","status":429,"fault":true}` + "\n"; !strings.Contains(log.String(), want) {
		t.Error(log.String())
	}
}

func TestJobRefusals(t *testing.T) {
	t.Parallel()
	_, locked := serve(t, Config{Key: key})
	if a := get(t, locked+"/v1/images/nothing"); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	s, url := serve(t, Config{})
	if a := get(t, url+"/v1/images/nothing"); a.status != 404 || a.reply.Error != "The request nothing does not exist or has expired." {
		t.Errorf("%d %s", a.status, a.body)
	}
	for more, want := range map[string]string{
		`,"deferred":true,"response_format":"b64_json"`: "deferred requests take response_format url only",
		`,"deferred":7`: "deferred 7 is not supported",
	} {
		if a := post(t, url, edits, small(more)); a.status != 400 || a.reply.Error != want {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := post(t, url, edits, small(`,"deferred":false`)); a.status != 200 || a.reply.Data[0].URL == nil {
		t.Errorf("%d %s", a.status, a.body)
	}
	if st := s.Stats(); len(st.Charges) != 1 {
		t.Errorf("%+v", st)
	}
}

// TestReadyAfter: by the clock, and the images live from then on.
func TestReadyAfter(t *testing.T) {
	t.Parallel()
	faults, err := ParseFaults([]byte(`[{"match":{"method":"POST"},"do":{"ready_after":"1h"}}]`))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1700000000, 0)
	_, url := serve(t, Config{Faults: faults, Expire: time.Minute, Now: func() time.Time { return now }})
	poll := url + "/v1/images/" + submitted(t, post(t, url, edits, small(`,"deferred":true`)))
	now = now.Add(time.Hour - 1)
	if a := get(t, poll); a.status != 202 {
		t.Errorf("%d %s", a.status, a.body)
	}
	now = now.Add(1)
	a := get(t, poll)
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{time.Minute, 200}, {1, 403}} {
		now = now.Add(tt.after)
		if b := get(t, *a.reply.Data[0].URL); b.status != tt.want {
			t.Errorf("%d, want %d", b.status, tt.want)
		}
	}
}

// TestForgetJobs: memory is bounded, whatever is asked.
func TestForgetJobs(t *testing.T) {
	t.Parallel()
	s, url := serve(t, Config{})
	s.jobs.most = 10 << 10
	var first string
	for i := range 10 {
		id := submitted(t, post(t, url, generations, `{"prompt":"p","deferred":true}`))
		if i == 0 {
			first = id
		}
	}
	if a := get(t, url+"/v1/images/"+first); a.status != 404 || len(s.jobs.things) == 10 || len(s.jobs.things) < 5 {
		t.Errorf("%d, %d kept", a.status, len(s.jobs.things))
	}
}
