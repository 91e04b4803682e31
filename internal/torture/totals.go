package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// batch is a line of the totals.
type batch struct {
	Row    string         `json:"row"`
	Commit string         `json:"commit"`
	Seed   uint64         `json:"seed"`
	From   int            `json:"from,omitempty"` // attacks of the row before this batch
	N      int            `json:"n"`              // attacks made
	Counts map[string]int `json:"counts"`
	Wrong  []string       `json:"wrong,omitempty"`
}

// totals are all batches so far.
type totals struct {
	file    string // "" to save nothing
	batches []batch
}

func readTotals(file string) (*totals, error) {
	t := &totals{file: file}
	f, err := os.Open(file)
	if file == "" || errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var b batch
		if err := json.Unmarshal(lines.Bytes(), &b); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, len(t.batches)+1, err)
		}
		t.batches = append(t.batches, b)
	}
	return t, lines.Err()
}

func (t *totals) add(b batch) error {
	t.batches = append(t.batches, b)
	if t.file == "" {
		return nil
	}
	line, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(t.file), 0o777); err != nil {
		return err
	}
	f, err := os.OpenFile(t.file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// sum adds the batches of a row up. Its Commit lists all of theirs.
func (t *totals) sum(row string) batch {
	s := batch{Row: row, Counts: map[string]int{}}
	var commits []string
	for _, b := range t.batches {
		if b.Row != row {
			continue
		}
		s.N += b.N
		for what, n := range b.Counts {
			s.Counts[what] += n
		}
		s.Wrong = append(s.Wrong, b.Wrong...)
		if !slices.Contains(commits, b.Commit) {
			commits = append(commits, b.Commit)
		}
	}
	s.Commit = strings.Join(commits, " ")
	return s
}

// print tells the totals of rows, as a table of Markdown if markdown is set; its
// error says that a promise was broken.
func (t *totals) print(w io.Writer, rows []*row, markdown bool) error {
	broken := 0
	if markdown {
		fmt.Fprint(w, "| attack | times | seen | must |\n|---|---|---|---|\n")
	}
	for _, r := range rows {
		s := t.sum(r.name)
		verdict := "holds"
		switch p := r.absent(); {
		case s.Counts["violations"] > 0:
			verdict = fmt.Sprintf("BROKEN: %d", s.Counts["violations"])
			broken++
		case s.N == 0 && p != "":
			verdict = "not run: there is no " + p
		case s.N == 0:
			verdict = "not run"
		case s.N < r.long && t.file != "":
			verdict = fmt.Sprintf("holds, %d to go", r.long-s.N)
		}
		var counts []string
		for _, what := range r.sees {
			counts = append(counts, fmt.Sprintf("%d %s", s.Counts[what], what))
		}
		seen := strings.Join(counts, ", ")
		if markdown {
			fmt.Fprintf(w, "| %s | %d | %s | %s: %s |\n", r.name, s.N, seen, r.must, verdict)
			continue
		}
		fmt.Fprintf(w, "%s: %s\n  %d times: %s\n  must: %s\n", r.name, verdict, s.N, seen, r.must)
		if s.Commit != "" {
			fmt.Fprintf(w, "  at %s\n", s.Commit)
		}
	}
	if broken > 0 {
		return fmt.Errorf("%d promises are broken", broken)
	}
	return nil
}
