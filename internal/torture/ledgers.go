package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/imgbuild/imgbuild/internal/emulator"
)

// shop is an emulator that can be waited for: what is killed in flight may be
// charged a little later.
type shop struct {
	*emulator.Server
	endpoint string
	stop     func()

	mu    sync.Mutex
	conns int // open ones
	none  *sync.Cond
}

func (t *trial) open(album *emulator.Album, faults ...emulator.Fault) (*shop, error) {
	s := &shop{}
	s.none = sync.NewCond(&s.mu)
	var err error
	s.Server, s.endpoint, s.stop, err = serve(t.ctx, emulator.Config{Profile: "current", Album: album, Faults: faults}, func(server *http.Server) {
		server.ConnState = func(_ net.Conn, now http.ConnState) {
			s.mu.Lock()
			defer s.mu.Unlock()
			switch now {
			case http.StateNew:
				s.conns++
			case http.StateClosed, http.StateHijacked:
				s.conns--
				s.none.Broadcast()
			}
		}
	})
	return s, err
}

// settled is what was charged once nothing is in flight any more. Only for
// when no victim is alive.
func (s *shop) settled() (emulator.Stats, error) {
	// Connections are taken in order: after this one none of a victim is new.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(strings.TrimSuffix(s.endpoint, "/v1") + "/_emulator/stats")
	if err != nil {
		return emulator.Stats{}, err
	}
	resp.Body.Close()
	s.mu.Lock()
	for s.conns > 0 {
		s.none.Wait()
	}
	s.mu.Unlock()
	return s.Stats(), nil
}

// byPrompt are the images and ticks that were charged.
func byPrompt(s emulator.Stats) (images map[string]int, ticks map[string]int64) {
	images, ticks = map[string]int{}, map[string]int64{}
	for _, c := range s.Charges {
		images[c.Prompt] += c.Images
		ticks[c.Prompt] += c.Ticks
	}
	return images, ticks
}

// write makes a project of files.
func write(dir string, files map[string]string) error {
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// event is a line of -json.
type event struct {
	Type, Address string
	Step          *struct{ Verb string }
	Result        *struct {
		Done, Failed, In_doubt, Accepted, Skipped, Stale int
		Spent                                            string
	}
}

func events(stdout string) (list []event) {
	lines := bufio.NewScanner(strings.NewReader(stdout))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			list = append(list, e)
		}
	}
	return list
}

// standing are the verbs of what a plan holds back.
var standing = map[string]bool{"hold": true, "refused": true, "conflict": true, "missing": true, "resume": true, "protected": true}

// planned is what a plan says.
type planned struct {
	Steps []struct {
		Address, Verb, Price string
		Why                  []struct{ Cause string }
	}
	Unchanged int
}

func (t *trial) plan(dir string, args ...string) (p planned, err error) {
	e, err := t.do(dir, append([]string{"plan", "-json"}, args...)...)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(e.stdout), &p); err != nil {
		return p, fmt.Errorf("plan -json: %w: %s%s", err, e.stdout, e.stderr)
	}
	return p, nil
}

// open are the ticks that each address may have cost beyond what its lock says:
// what is in doubt, under way, or paid for and not fetched.
func (p *planned) open() (map[string]int64, error) {
	out := map[string]int64{}
	for _, s := range p.Steps {
		if s.Verb != "hold" && s.Verb != "resume" {
			continue
		}
		ticks, err := ticksOf(s.Price)
		if err != nil {
			return nil, err
		}
		out[s.Address] += ticks
	}
	return out, nil
}

// pace ends a victim after so many lines that it printed and a moment more, or
// does something else to it.
func pace(out *bufio.Scanner, line int, delay time.Duration, act func(), each func([]byte)) {
	for n := 0; n == 0 || out.Scan(); n++ {
		if n == line {
			time.AfterFunc(delay, act)
		}
		if n > 0 {
			each(out.Bytes())
		}
	}
}

func readJSON(file string, v any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
