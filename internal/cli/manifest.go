package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/manifest"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/report"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// manifestFile is a manifest as it is and as it should be; nil is no file.
type manifestFile struct {
	config.Manifest
	have, want []byte
}

// old reports whether the file must be written. Git may have given its lines the
// ends that they have on Windows.
func (m *manifestFile) old() bool {
	return (m.have == nil) != (m.want == nil) || !bytes.Equal(m.unixly(), m.want)
}

func (m *manifestFile) unixly() []byte { return bytes.ReplaceAll(m.have, []byte("\r\n"), []byte("\n")) }

// manifest is what the lock and the configuration say to a site.
func (s *session) manifest() *manifest.Manifest {
	return manifest.Of(manifest.Input{Images: s.project.Images, Lock: s.lock, SourceTypes: s.sourceTypes(), Size: apply.SizeOf, Measure: func(path string) (w, h int, ok bool) {
		_ = s.out.Peek(path, func(r io.ReaderAt, size int64) { // nothing is known of a file that is not there
			head := make([]byte, min(size, maxHeader))
			if _, err := r.ReadAt(head, 0); err == nil || errors.Is(err, io.EOF) {
				if info, err := imaging.Measure(head, s.limits); err == nil {
					w, h, ok = info.Width, info.Height, true
				}
			}
		})
		return w, h, ok
	}})
}

// maxHeader is where the size of a picture stands that we wrote.
const maxHeader = 1 << 20

// manifests looks at the manifests of the project. A file in the place of one
// that imgbuild did not write is a finding. gone: there should be none.
func (s *session) manifests(gone bool) (list []manifestFile, l diag.List, err error) {
	declared := s.project.Settings.Manifests
	if len(declared) == 0 || s.draft || s.apart {
		return nil, nil, nil
	}
	m := s.manifest()
	for _, d := range declared {
		f := manifestFile{Manifest: d}
		if !gone {
			f.want = m.Text(d.Kind, d.Path)
		}
		seen, err := s.out.Look([]string{d.Path})
		if err != nil {
			return nil, nil, err
		}
		foreign := diag.Finding{Severity: diag.Error, Code: "IB0513", Range: s.project.ManifestAt(s.root, d, "path"),
			Hint: "move it away, or give the manifest another path"}
		switch seen[0].State {
		case workspace.Regular:
			if f.have, err = s.out.Read(d.Path, maxLock); err != nil {
				return nil, nil, err
			}
			if f.old() && !manifest.Ours(f.have) {
				foreign.Text = d.Path + ": the file was not written by imgbuild, so it stays"
			}
		case workspace.Other:
			foreign.Text = d.Path + ": a folder, a link or a device is in the place of the manifest"
		case workspace.Outside:
			foreign.Text = d.Path + ": a link on the way leads out of the project"
		}
		if foreign.Text != "" && gone {
			continue
		}
		if foreign.Text != "" {
			l = append(l, foreign)
			continue
		}
		list = append(list, f)
	}
	return list, l, nil
}

// planManifests notes in a plan which manifests are old.
func (s *session) planManifests(p *plan.Plan, gone bool) (diag.List, error) {
	list, l, err := s.manifests(gone)
	for _, f := range list {
		if !f.old() {
			continue
		}
		m := plan.Manifest{Path: f.Path, Kind: f.Kind, Action: plan.Write}
		if f.want == nil {
			m.Action = plan.DeleteFile
		}
		p.Manifests = append(p.Manifests, m)
	}
	p.Recount()
	return l, err
}

// writeManifests brings the manifests up to date, and tells of each that it
// changes.
func (s *session) writeManifests(gone bool, tell func(path, what string)) error {
	list, l, err := s.manifests(gone && !slices.ContainsFunc(s.lock.Entries, hasOutputs))
	for i := range list {
		f := &list[i]
		if !f.old() {
			continue
		}
		var expect digest.Content
		if f.have != nil {
			expect = digest.OfContent(f.have)
		}
		if f.want == nil {
			err = errors.Join(err, s.out.Remove(f.Path, expect))
			tell(f.Path, "deleted")
			continue
		}
		_, wrong := s.out.Write(f.Path, func(w io.Writer) error { _, err := w.Write(f.want); return err }, expect)
		if err = errors.Join(err, wrong); wrong == nil {
			tell(f.Path, "written")
		}
	}
	return errors.Join(err, s.tell(l))
}

func emitVerb() verb {
	var f projectFlags
	var check bool
	var wait time.Duration
	return verb{
		name: "emit", short: "write the manifests that sites read",
		help: `
  imgbuild emit
  imgbuild emit -check

Writes the file of each manifest block from the configuration and the lock, as
apply does at its end: no picture is made, and none needs to be there. With -check
nothing is written: it prints what would change, and exits with 3 if anything
would. A file that imgbuild did not write stays as it is.
`,
		codes: []int{exitCheck},
		flags: append([]urfave.Flag{
			&urfave.BoolFlag{Name: "check", Usage: "write nothing; exit with 3 if a manifest is old", Destination: &check},
			&urfave.DurationFlag{Name: "lock-timeout", Usage: "wait `TIME` for another imgbuild to finish, such as 30s", Destination: &wait},
		}, f.flags()...),
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error {
			s, err := openSession(env)
			if err != nil {
				return err
			}
			defer s.close()
			if !check {
				unlock, err := s.lockWorkspace(ctx, "emit", wait)
				if err != nil {
					return err
				}
				defer unlock()
			}
			if err := s.prepare(ctx, &f); err != nil {
				return err
			}
			if len(s.project.Settings.Manifests) == 0 {
				return fail(`write manifest "json" { path = "data/imgbuild.json" } into the imgbuild block`, "there is no manifest block in the configuration")
			}
			if check {
				return s.checkManifests()
			}
			n := 0
			err = s.writeManifests(false, func(path, what string) {
				n++
				fmt.Fprintf(env.Stdout, "%s: %s\n", diag.Clean(path), what)
			})
			if err == nil && n == 0 {
				fmt.Fprintln(env.Stderr, "Nothing to write: the manifests agree with the lock and the configuration.")
			}
			_ = s.out.SaveIndex() // advisory
			return err
		},
	}
}

// checkManifests prints what emit would change.
func (s *session) checkManifests() error {
	list, l, err := s.manifests(false)
	if err == nil {
		err = s.tell(l)
	}
	if err != nil {
		return err
	}
	old := false
	for i := range list {
		f := &list[i]
		if !f.old() {
			continue
		}
		old = true
		if f.have == nil {
			fmt.Fprintf(s.env.Stdout, "%s: is missing\n", diag.Clean(f.Path))
			continue
		}
		for line := range bytes.Lines(diff.Diff(f.Path, f.unixly(), f.Path, f.want)) {
			fmt.Fprintln(s.env.Stdout, diag.Clean(string(bytes.TrimSuffix(line, []byte("\n")))))
		}
	}
	if old {
		fmt.Fprintln(s.env.Stderr, "To mend it: imgbuild emit")
		return exit(exitCheck)
	}
	return nil
}

// tellManifest tells what became of a manifest during an apply.
func (s *session) tellManifest(streams []*report.Stream, path, what string) {
	text := diag.Clean(path) + ": " + what
	if s.stream == nil {
		fmt.Fprintln(s.env.Stderr, text)
	}
	for _, stream := range streams {
		line := report.Line{Type: "manifest", Message: text, Paths: []string{path}}
		if what == "deleted" {
			line.Paths, line.Deleted = nil, line.Paths
		}
		stream.Write(line)
	}
}

func hasOutputs(e lock.Entry) bool { return len(e.Outputs) > 0 }
