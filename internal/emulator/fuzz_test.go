package emulator

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzFaults reads a faults file; what it takes can be served.
func FuzzFaults(f *testing.F) {
	f.Add([]byte(`[{"match": {"path": "/v1/images/edits", "prompt_contains": "lake", "nth": 2}, "times": 1, "do": {"status": 429, "retry_after": "3"}}]`))
	f.Add([]byte(`[{"do": {"moderated": "flag", "n": 3}}, {"do": {"status": 302, "redirect": "x:\u0000"}}]`))
	f.Add([]byte(`[{"do": {"job": "failed", "pending": 2, "body": {"error": "m"}, "billed": true}}, {"do": {"truncate": 7, "html": true}}]`))
	f.Add([]byte(`[{"match": {"path": "/images/", "method": "GET"}, "do": {"corrupt": true, "expired": true, "wrong_size": true}}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		faults, err := ParseFaults(b)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "faults: ") {
				t.Errorf("an error that does not say of what: %v", err)
			}
			return
		}
		for i := range faults {
			do := &faults[i].Do
			if do.Silent || do.Drop != "" { // they end the connection, which a recorder does not have
				return
			}
			do.Delay, do.Drip, do.ReadyAfter = 0, 0, 0
			if do.N != nil {
				*do.N = min(*do.N, 2)
			}
		}
		e := New(Config{Profile: "current", Faults: faults})
		post := httptest.NewRequest("POST", generations, strings.NewReader(`{"prompt":"a lake","deferred":true}`))
		post.Header.Set("Content-Type", "application/json")
		e.ServeHTTP(httptest.NewRecorder(), post)
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/images/x.jpg", nil))
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v1/models", nil))
	})
}
