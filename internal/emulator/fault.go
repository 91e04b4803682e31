package emulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/imgbuild/imgbuild/internal/xaipb"
)

// Fault is one entry of a faults file; see the package documentation.
type Fault struct {
	Match Match `json:"match"`
	Times int   `json:"times"`
	Do    Do    `json:"do"`
}

// Match says which requests a fault is for.
type Match struct {
	Method         string `json:"method"`
	Path           string `json:"path"`
	PromptContains string `json:"prompt_contains"`
	Nth            int    `json:"nth"`
}

// Do says what goes wrong.
type Do struct {
	Status     int             `json:"status"`
	Body       json.RawMessage `json:"body"`
	RetryAfter string          `json:"retry_after"`
	Delay      Duration        `json:"delay"`
	Drop       string          `json:"drop"`
	Silent     bool            `json:"silent"`
	Truncate   int             `json:"truncate"`
	Drip       Duration        `json:"drip"`
	Moderated  string          `json:"moderated"`
	N          *int            `json:"n"`
	Cost       int64           `json:"cost"`
	HTML       bool            `json:"html"`
	Corrupt    bool            `json:"corrupt"`
	WrongSize  bool            `json:"wrong_size"`
	Expired    bool            `json:"expired"`
	Redirect   string          `json:"redirect"`
	Pending    int             `json:"pending"`
	ReadyAfter Duration        `json:"ready_after"`
	Job        string          `json:"job"`
	Billed     *bool           `json:"billed"`
}

// Duration is a time.Duration that JSON writes as "1.5s".
type Duration time.Duration

func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// ParseFaults reads a faults file. The error names each entry that is wrong,
// with its line.
func ParseFaults(b []byte) ([]Fault, error) {
	var out []Fault
	var wrong []error
	at := func(offset int64) int { return 1 + bytes.Count(b[:min(int(offset), len(b))], []byte("\n")) }
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, errors.New(`faults: a list of entries is needed: [{"match": {…}, "do": {…}}]`)
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, errors.Join(append(wrong, fmt.Errorf("faults: line %d: %s", at(d.InputOffset()), plainly(err)))...)
		}
		f, err := parseFault(raw)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("faults: line %d, entry %d: %w", at(d.InputOffset()-int64(len(raw))), len(out)+1, err))
		}
		out = append(out, f)
	}
	if _, err := d.Token(); err != nil {
		wrong = append(wrong, fmt.Errorf("faults: line %d: the list has no end", at(d.InputOffset())))
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return out, nil
}

func parseFault(raw json.RawMessage) (f Fault, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, errors.New(plainly(err))
	}
	return f, f.check()
}

// plainly is an error of encoding/json without the names of Go's types.
func plainly(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("%s can't be a %s", cmp.Or(wrong.Field, "an entry"), wrong.Value)
	}
	return strings.Replace(strings.TrimPrefix(err.Error(), "json: "), "unknown field", "there is no", 1)
}

func (f *Fault) check() error {
	if _, err := path.Match(f.Match.Path, ""); err != nil {
		return fmt.Errorf("path %q: %w", f.Match.Path, err)
	}
	if f.Do.Job == "failed" {
		f.Do.Job = "internal_error"
	}
	switch {
	case !slices.Contains([]string{"", "GET", "POST"}, f.Match.Method):
		return fmt.Errorf("no method %q; one of GET, POST", f.Match.Method)
	case !slices.Contains(append([]string{"", "expired"}, failures...), f.Do.Job):
		return fmt.Errorf("no job %q; one of failed, expired, %s", f.Do.Job, strings.Join(failures, ", "))
	case !slices.Contains([]string{"", "before-read", "after-request", "mid-body", "reset"}, f.Do.Drop):
		return fmt.Errorf("no drop %q; one of before-read, after-request, mid-body, reset", f.Do.Drop)
	case !slices.Contains([]string{"", "400", "flag", "placeholder", "empty"}, f.Do.Moderated):
		return fmt.Errorf("no moderated %q; one of \"400\", \"flag\", \"placeholder\", \"empty\"", f.Do.Moderated)
	case f.Do.Status != 0 && (f.Do.Status < 200 || f.Do.Status > 599):
		return fmt.Errorf("no status %d", f.Do.Status)
	case f.Do.Truncate < 0 || f.Times < 0 || f.Match.Nth < 0 || f.Do.N != nil && *f.Do.N < 0 || f.Do.Cost < 0 || f.Do.Delay < 0 || f.Do.Pending < 0 || f.Do.ReadyAfter < 0 || f.Do.Drip < 0:
		return fmt.Errorf("a negative number")
	case f.Do.Drop == "before-read" && f.Match.PromptContains != "":
		return fmt.Errorf("before-read can't match a prompt that was not read")
	}
	return nil
}

// billed is what the entry says, else what is usual.
func (d *Do) billed(usual bool) bool {
	if d.Billed != nil {
		return *d.Billed
	}
	return usual
}

// script hands out faults.
type script struct {
	mu      sync.Mutex
	faults  []Fault
	matched []int // requests that match path and prompt
	used    []int
}

// early finds the fault of a request whose body is not read yet.
func (s *script) early(method, path string) (Do, bool) {
	return s.pick(method, path, "", func(f *Fault) bool { return f.Do.Drop == "before-read" })
}

// late finds the fault of a request that was read. A GET has the prompt of what
// it asks for.
func (s *script) late(method, path, prompt string) (Do, bool) {
	return s.pick(method, path, prompt, func(f *Fault) bool { return f.Do.Drop != "before-read" })
}

func (s *script) pick(method, path, prompt string, of func(*Fault) bool) (do Do, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := &s.faults[i]
		if !of(f) || !f.Match.matches(method, path, prompt) {
			continue
		}
		s.matched[i]++
		if found || f.Match.Nth != 0 && f.Match.Nth != s.matched[i] || f.Times != 0 && s.used[i] == f.Times {
			continue
		}
		s.used[i]++
		do, found = f.Do, true
	}
	return do, found
}

// matches: a prompt alone means the POST that has it, as most people do who
// write one; only with the method GET it means polls and downloads.
func (m *Match) matches(method, p, prompt string) bool {
	if m.Method != "" && m.Method != method || m.PromptContains != "" && m.Method == "" && method != "POST" {
		return false
	}
	ok, _ := path.Match(m.Path, p)
	ok = ok || m.Path == "" && forImages(p) || strings.HasSuffix(m.Path, "/") && strings.HasPrefix(p, m.Path)
	return ok && strings.Contains(prompt, m.PromptContains)
}

// forImages is false for what tells about the server: who lets all requests
// fail once does not mean a look at the catalogue.
func forImages(p string) bool {
	return p == xaipb.GenerateImage || strings.HasPrefix(p, "/v1/images/") || strings.HasPrefix(p, "/images/")
}
