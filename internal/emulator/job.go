package emulator

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// job is a deferred request that was accepted. What comes of it is settled when
// it is accepted, and charged then; the polls only learn of it late.
type job struct {
	made    *made
	prompt  string
	do      Do
	readyAt time.Time
	polls   int
}

// failure is why a job failed.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// failures are the codes that a job may fail with.
var failures = []string{"invalid_argument", "permission_denied", "failed_precondition", "service_unavailable", "internal_error"}

// failure is the one that a fault scripts for a job, or nil.
func (d *Do) failure() *failure {
	switch {
	case slices.Contains(failures, d.Job):
		text := "The job failed."
		if d.Body != nil {
			text = d.text()
		}
		return &failure{d.Job, text}
	case d.Moderated == "400":
		return &failure{"invalid_argument", moderated}
	}
	return nil
}

// accept keeps a job and returns its answer.
func (s *Server) accept(c *call, m *made) []byte {
	j := &job{made: m, prompt: c.Prompt, do: c.do, readyAt: s.cfg.Now().Add(time.Duration(c.do.ReadyAfter))}
	size := 1<<10 + len(c.Prompt)
	for _, d := range m.images {
		size += 1<<8 + len(d.revised)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs.put(m.id, j, size)
	return jsonOf(struct {
		ID string `json:"request_id"`
	}{m.id})
}

// jobID is a UUID as the service gives them, the same for the same roll.
func jobID(key [32]byte, roll int) string {
	a, b := seedOf(key, roll, -1), seedOf(key, roll, -2)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// poll tells how a job is getting on.
func (s *Server) poll(w http.ResponseWriter, r *http.Request) {
	l := &line{Method: r.Method, Path: r.URL.Path}
	defer s.log(l)
	id := r.PathValue("id")
	s.mu.Lock()
	s.stats.Polls++
	j, known := s.jobs.get(id)
	s.mu.Unlock()
	prompt := ""
	if known {
		prompt = j.prompt
	}
	do, answered := s.meet(w, r, l, prompt)
	if answered {
		return
	}
	if no := s.authorize(r); no != nil {
		l.Status, l.Error = no.status, no.text
		s.refuse(w, no)
		return
	}
	reply := struct {
		ID     string   `json:"request_id"`
		Status string   `json:"status"`
		Error  *failure `json:"error,omitempty"`
		*images
	}{ID: id, Status: "pending"}
	if known {
		s.mu.Lock()
		j.polls++
		polls := j.polls
		s.mu.Unlock()
		if polls <= j.do.Pending || s.cfg.Now().Before(j.readyAt) {
			l.Status = http.StatusAccepted
			if polls%2 == 0 { // the service is seen to answer both ways
				writeJSON(w, l.Status, reply)
			} else {
				w.WriteHeader(l.Status)
			}
			return
		}
	}
	if !known || j.do.Job == "expired" {
		no := &wrong{status: 404, code: notFound, text: "The request " + id + " does not exist or has expired."}
		l.Status, l.Error = no.status, no.text
		s.refuse(w, no)
		return
	}
	reply.Status, reply.images = "done", j.made.rest(r)
	if reply.Error = j.made.failure; reply.Error != nil {
		reply.Status = "failed"
	}
	l.Status = 200
	w.Header().Set("Content-Type", "application/json")
	write(w, r, jsonOf(reply), do)
}
