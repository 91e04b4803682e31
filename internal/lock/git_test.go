package lock

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// What git makes of two locks where imgbuild is not its driver can be settled,
// in each style of markers, and no picture is lost without a word. Now and then
// git takes a part of one image for a part of another: that is a finding.
func TestGitMergesLines(t *testing.T) {
	t.Parallel()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal("not run: there is no git; scripts/setup installs it")
	}
	dir := t.TempDir()
	styles := [][]string{{}, {"--diff3"}, {"--zdiff3"}}
	if err := exec.Command(git, "merge-file", "--zdiff3", "-p", os.DevNull, os.DevNull, os.DevNull).Run(); err != nil {
		styles = styles[:2] // before git 2.35
	}
	var clean, marked, torn int
	rapid.Check(t, func(t *rapid.T) {
		base := canonical(t, drawLock(t, "base"))
		ours, theirs := canonical(t, drawEdit(t, "ours", base)), canonical(t, drawEdit(t, "theirs", base))
		args := []string{"merge-file", "-p"}
		args = append(args, rapid.SampledFrom(styles).Draw(t, "style")...)
		for i, l := range []*Lock{ours, base, theirs} {
			name := filepath.Join(dir, []string{"ours", "base", "theirs"}[i])
			if err := os.WriteFile(name, l.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
			args = append(args, name)
		}
		text, err := exec.Command(git, args...).Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		known := map[digest.Content]bool{}
		note := func(l *Lock) {
			for _, e := range l.Entries {
				for _, c := range e.Candidates {
					known[c.Content] = true
				}
			}
		}
		note(base)
		allThere := func(why func() string) {
			for _, side := range []*Lock{ours, theirs} {
				for _, e := range side.Entries {
					for _, c := range e.Candidates {
						if !known[c.Content] {
							t.Fatalf("a picture of %s is gone without a word\n%s%s", e.Address, why(), text)
						}
					}
				}
			}
		}
		if l, findings := Parse(text); l != nil {
			clean++
			note(l)
			allThere(func() string { return "" })
			return
		} else if !Conflicted(findings) {
			torn++
			return
		}
		sides, findings := Split(text)
		if len(findings) > 0 {
			torn++
			return
		}
		marked++
		m := Merge(sides.Base, sides.Ours, sides.Theirs, drawJudge(t))
		note(m.Lock)
		for _, c := range m.Conflicts {
			note(&Lock{Entries: slices.Concat(c.Ours, c.Theirs)})
		}
		for _, c := range m.Choices {
			note(&Lock{Entries: []Entry{{Candidates: c.Dropped}}})
		}
		allThere(func() string { return said(m) })
		if b := m.Lock.Bytes(); !bytes.Equal(reparsed(t, "the merged lock", b).Bytes(), b) {
			t.Fatal("not canonical")
		}
	})
	t.Logf("%d clean, %d with markers, %d are no locks", clean, marked, torn)
	if clean == 0 || marked == 0 || torn > (clean+marked)/5 {
		t.Errorf("%d merged clean, %d with markers, %d are no locks", clean, marked, torn)
	}
}
