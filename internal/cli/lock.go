package cli

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/revision"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/tool"
)

// exitBroken tells git that a merge driver failed, rather than that it found a
// conflict: ours without markers must not pass for the result.
const exitBroken = 129

type lockFlags struct {
	projectFlags
	ours, theirs []string
	dry, json    bool
	wait         time.Duration
}

func lockVerb() verb {
	var f lockFlags
	return verb{
		name: "lock", short: "settle conflicts in imgbuild.lock.json, or merge it for git", args: "resolve | merge BASE OURS THEIRS [PATH]",
		help: `
  imgbuild lock resolve
  imgbuild lock resolve -dry-run
  imgbuild lock resolve -theirs=image.hero -ours='image.post["*"]'
  git config merge.imgbuild.driver '` + lock.Driver + `'

resolve reads both sides of a lockfile that has conflict markers of git, as git
holds them or else out of the markers, and writes what they are together. Pictures that both bought for one request
are all kept; where each bought for another request, that counts which the
configuration asks for; files count as they are on disk. It says what it
chose and why. A lockfile that git holds in conflict and that has no markers
(another driver failed) is told. If something stays open, nothing is written, and -ours or
-theirs with the address decides. Settle *.img.hcl and the pictures first.

merge is for git, by the line that init writes into .gitattributes and the
config above. It reads no configuration, for that may be half merged, leaves
markers where it would need it, and then ends with 1; with 129 if it failed.
Where git does not find imgbuild on its PATH (a GUI's may be shorter), that
config has git merge the lines, and resolve settles what that can't.

A PATTERN is an address (image.hero), an address of all instances (image.post),
a module (module.icons), the path of an output, or one of these with * for any
run of characters.
`,
		words: func() []string { return []string{"resolve", "merge"} },
		bad:   func(n int) bool { return n < 1 },
		flags: append([]urfave.Flag{
			&urfave.StringSliceFlag{Name: "ours", Usage: "our side counts for images that match `PATTERN`; may be repeated", Destination: &f.ours},
			&urfave.StringSliceFlag{Name: "theirs", Usage: "their side counts for images that match `PATTERN`; may be repeated", Destination: &f.theirs},
			&urfave.BoolFlag{Name: "dry-run", Usage: "only say what would be chosen", Destination: &f.dry},
			&urfave.BoolFlag{Name: "json", Usage: "as JSON", Destination: &f.json},
			&urfave.DurationFlag{Name: "lock-timeout", Usage: "wait `TIME` for another imgbuild to finish, such as 30s", Destination: &f.wait},
		}, f.projectFlags.flags()...),
		run: func(ctx context.Context, env *Env, c *urfave.Command) error {
			args := c.Args().Slice()
			switch {
			case args[0] == "resolve" && len(args) == 1:
				return runResolve(ctx, env, &f)
			case args[0] == "merge" && (len(args) == 4 || len(args) == 5):
				return runMerge(env, args[1], args[2], args[3], strings.Join(args[4:], ""))
			}
			return usage(env, "imgbuild lock resolve, or imgbuild lock merge BASE OURS THEIRS [PATH]")
		},
	}
}

// resolved is what lock resolve -json writes.
type resolved struct {
	FormatVersion string             `json:"format_version"`
	Written       bool               `json:"written"`
	Ours          string             `json:"ours"` // what git calls the sides
	Theirs        string             `json:"theirs"`
	Choices       []resolvedChoice   `json:"choices"`
	Conflicts     []resolvedConflict `json:"conflicts"`
}

type resolvedChoice struct {
	Address spec.Address     `json:"address"`
	Took    lock.Side        `json:"took"`
	Why     string           `json:"why"`
	Dropped []provider.Image `json:"dropped,omitempty"`
}

type resolvedConflict struct {
	Addresses []spec.Address `json:"addresses"`
	Path      string         `json:"path,omitempty"`
	Why       string         `json:"why"`
}

func runResolve(ctx context.Context, env *Env, f *lockFlags) error {
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	if !f.dry {
		unlock, err := s.lockWorkspace(ctx, "lock resolve", f.wait)
		if err != nil {
			return err
		}
		defer unlock()
	}
	text, l, err := s.lockText()
	if err != nil {
		return err
	}
	if text == nil && len(l) == 0 {
		return fail("imgbuild apply writes it", "there is no %s", lock.File)
	}
	out := &resolved{FormatVersion: "1.0", Choices: []resolvedChoice{}, Conflicts: []resolvedConflict{}}
	if len(l) == 0 {
		if _, l = lock.Parse(text); len(l) == 0 {
			if s.oursAlone(ctx, text) {
				return s.tell(diag.List{lock.Unmarked()})
			}
			if f.json {
				return writeJSON(env.Stdout, out)
			}
			fmt.Fprintf(env.Stdout, "%s has no conflict.\n", lock.File)
			return nil
		}
	}
	var sides *lock.Sides
	if lock.Conflicted(l) {
		sides, l = lock.Split(text)
		if held := s.heldSides(ctx); held != nil {
			if sides != nil {
				held.Names = sides.Names
			}
			sides, l = held, nil
		}
	}
	if len(l) > 0 {
		return s.tell(l)
	}
	out.Ours, out.Theirs = sides.Names[0], sides.Names[1]
	r := &resolver{s: s, f: f, ctx: ctx, used: map[string]bool{}}
	merged := lock.Merge(sides.Base, sides.Ours, sides.Theirs, lock.Judge{Forced: r.forced, Wants: r.wants, Disk: r.disk})
	if r.err != nil {
		return r.err
	}
	for i := range merged.Conflicts {
		c := &merged.Conflicts[i]
		l = append(l, c.Finding(text))
		out.Conflicts = append(out.Conflicts, resolvedConflict{c.Addresses, c.Path, c.Why})
	}
	// A configuration that is half merged would be asked in vain: what it decides
	// must not be decided without it.
	l = slices.Concat(l, r.findings, r.unused())
	for _, c := range merged.Choices {
		out.Choices = append(out.Choices, resolvedChoice(c))
	}
	if !l.HasErrors() && !f.dry {
		if err := s.saveLock(merged.Lock); err != nil {
			return err
		}
		out.Written = true
	}
	if f.json {
		if err := writeJSON(env.Stdout, out); err != nil {
			return err
		}
	} else if !r.findings.HasErrors() {
		tellChoices(env.Stdout, merged.Choices)
	}
	if err := s.tell(l); err != nil {
		if !f.json {
			fmt.Fprintf(env.Stderr, "\n%s is as it was", lock.File)
			if r.findings.HasErrors() {
				fmt.Fprint(env.Stderr, ", for the configuration must be read to decide")
			}
			fmt.Fprintln(env.Stderr, ".")
		}
		return err
	}
	if !f.json {
		n := len(merged.Lock.Entries)
		verb := "Wrote"
		if f.dry {
			verb = "Would write"
		}
		fmt.Fprintf(env.Stdout, "%s %s: %d %s.\n", verb, lock.File, n, noun(n, "image", "images"))
		if !f.dry {
			r.tellLeft(sides, merged)
			fmt.Fprintf(env.Stderr, "\nNext: git add %s and those of the pictures that git knows, and imgbuild plan\n", lock.File)
		}
	}
	return nil
}

// tellLeft tells of files of what was chosen that are as the other side has
// them: git leaves ours where both changed a picture, and a plan would take it for
// one that somebody has changed.
func (r *resolver) tellLeft(sides *lock.Sides, merged *lock.Merged) {
	has := func(l *lock.Lock, a spec.Address, path string, c digest.Content) bool {
		e := l.Get(a)
		return e != nil && slices.ContainsFunc(e.Outputs, func(o lock.Output) bool { return o.Path == path && o.Content == c })
	}
	left := map[lock.Side][]string{} // by the side whose file is wanted
	for _, c := range merged.Choices {
		e := merged.Lock.Get(c.Address)
		if e == nil {
			continue
		}
		for i := range e.Outputs {
			o := &e.Outputs[i]
			switch is := r.disk(o.Path); {
			case is.IsZero() || is == o.Content:
			case has(sides.Ours, e.Address, o.Path, is) && has(sides.Theirs, e.Address, o.Path, o.Content):
				left[lock.Theirs] = append(left[lock.Theirs], shellWord(o.Path))
			case has(sides.Theirs, e.Address, o.Path, is) && has(sides.Ours, e.Address, o.Path, o.Content):
				left[lock.Ours] = append(left[lock.Ours], shellWord(o.Path))
			}
		}
	}
	for _, side := range []struct {
		wanted      lock.Side
		other, take string
	}{{lock.Theirs, "our", "--theirs"}, {lock.Ours, "their", "--ours"}} {
		if names := left[side.wanted]; len(names) > 0 {
			fmt.Fprintf(r.s.env.Stderr, "\n%d %s on the disk %s still of %s side:\n  git checkout %s -- %s\n", len(names), noun(len(names), "file", "files"),
				noun(len(names), "is", "are"), side.other, side.take, strings.Join(names, " "))
		}
	}
}

// shellWord is a path as a shell takes it.
func shellWord(path string) string {
	if !strings.ContainsFunc(path, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/", r))
	}) {
		return path
	}
	return "'" + strings.ReplaceAll(diag.Clean(path), "'", `'\''`) + "'"
}

// oursAlone reports whether git holds the lock in conflict, and its text is
// our side of it: so git leaves a file whose merge driver failed. That nobody
// can tell (there is no git, this is no repository) is no reason to say so.
func (s *session) oursAlone(ctx context.Context, text []byte) bool {
	is, ok := s.unmerged(ctx)[2]
	return ok && (is == blob(is, text) || is == blob(is, bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))))
}

// unmerged are the objects that git holds of a lock in conflict: 1 is the base, 2
// ours and 3 theirs.
func (s *session) unmerged(ctx context.Context) map[int]string {
	b, err := revision.Ask(ctx, s.env.Getenv, s.out.Dir(), nil, tool.MaxOutput, "ls-files", "-u", "-z", "--", lock.File)
	if err != nil {
		return nil
	}
	objects := map[int]string{}
	for stage := range strings.SplitSeq(string(b), "\x00") { // MODE OBJECT STAGE\tPATH
		if f := strings.Fields(stage); len(f) == 4 {
			n, _ := strconv.Atoi(f[2])
			objects[n] = f[1]
		}
	}
	return objects
}

// heldSides are the sides of a conflict as git holds them, nil if it does not hold
// both or one of them can't be read. They are exact: what stands round the
// markers of a file is what git made of both, line by line, and so the pictures
// of one side may stand beside the files of the other.
func (s *session) heldSides(ctx context.Context) *lock.Sides {
	objects := s.unmerged(ctx)
	read := func(stage int) *lock.Lock {
		object, ok := objects[stage]
		if !ok {
			return nil
		}
		b, err := revision.Ask(ctx, s.env.Getenv, s.out.Dir(), nil, maxLock/4, "cat-file", "blob", object)
		if err != nil {
			return nil
		}
		l, findings := lock.Parse(b)
		if len(findings) > 0 {
			return nil
		}
		return l
	}
	sides := &lock.Sides{Base: read(1), Ours: read(2), Theirs: read(3), Names: [2]string{"ours", "theirs"}}
	if sides.Ours == nil || sides.Theirs == nil {
		return nil
	}
	return sides
}

// blob is the name of a text among git's objects, in the hash that like has.
func blob(like string, text []byte) string {
	h := sha1.New()
	if len(like) == hex.EncodedLen(sha256.Size) {
		h = sha256.New()
	}
	fmt.Fprintf(h, "blob %d\x00", len(text))
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

func tellChoices(w io.Writer, choices []lock.Choice) {
	for _, c := range choices {
		fmt.Fprintf(w, "%s: %s: %s\n", diag.Clean(string(c.Address)), c.Took, diag.Clean(c.Why))
		if len(c.Dropped) > 0 {
			fmt.Fprintf(w, "  no longer recorded: %s; what a store has stays there until gc\n", lock.Bought(c.Dropped))
		}
	}
}

// resolver answers what a merge asks.
type resolver struct {
	s        *session
	f        *lockFlags
	ctx      context.Context
	used     map[string]bool // patterns that fit
	asker    *plan.Asker
	loaded   bool
	findings diag.List
	err      error
}

func (r *resolver) forced(a spec.Address, paths []string) lock.Side {
	side := lock.Neither
	for _, flag := range []struct {
		side     lock.Side
		name     string
		patterns []string
	}{{lock.Ours, "-ours=", r.f.ours}, {lock.Theirs, "-theirs=", r.f.theirs}} {
		for _, p := range flag.patterns {
			if plan.Match(p, a, paths...) {
				r.used[flag.name+p] = true
				if side != lock.Neither && side != flag.side {
					r.err = fail("name it once", "%s: -ours and -theirs both mean it", a)
				}
				side = flag.side
			}
		}
	}
	return side
}

// unused are patterns that no contested image fits.
func (r *resolver) unused() (l diag.List) {
	add := func(flag string, patterns []string) {
		for _, p := range patterns {
			if !r.used[flag+p] {
				l = append(l, diag.Finding{Severity: diag.Error, Code: "IB0501", Text: flag + p + " matches no image that both sides changed",
					Hint: "imgbuild lock resolve -dry-run lists them"})
			}
		}
	}
	add("-ours=", r.f.ours)
	add("-theirs=", r.f.theirs)
	return l
}

// wants asks the configuration, which is read when it is first needed.
func (r *resolver) wants(e *lock.Entry, settled func(spec.Address) *lock.Entry) lock.Answer {
	if !r.loaded {
		r.loaded = true
		r.load()
	}
	if r.asker == nil {
		return lock.Unknown
	}
	return r.asker.Wants(e, settled)
}

func (r *resolver) load() {
	s := r.s
	r.findings = s.load(&r.f.projectFlags)
	if s.project == nil || r.findings.HasErrors() {
		return
	}
	r.findings = s.hashSources(r.ctx)
	in := plan.Input{Images: s.project.Images, Offer: s.offer, Files: s.files, Moved: map[spec.Address][]spec.Address{}}
	for _, m := range s.project.Moved {
		in.Moved[m.To] = append(in.Moved[m.To], m.From)
	}
	r.asker = plan.NewAsker(in)
}

// disk is the content of an output as it is now.
func (r *resolver) disk(path string) digest.Content {
	c, errs := r.s.out.Hash(r.ctx, []string{path})
	if errs[0] != nil {
		return digest.Content{} // what can't be read decides nothing
	}
	return c[0]
}

// runMerge is the merge driver: ours gets the result.
func runMerge(env *Env, base, ours, theirs, path string) error {
	if path == "" {
		path = lock.File
	}
	texts := make([][]byte, 3)
	for i, name := range []string{base, ours, theirs} {
		b, err := readBounded(join(env.Dir, name), maxLock)
		if err != nil && !(i == 0 && errors.Is(err, fs.ErrNotExist)) {
			return broken(env, err)
		}
		texts[i] = b
	}
	b, _ := lock.Parse(texts[0]) // none where both added the file, or where a merge of bases left markers
	o, l := lock.Parse(texts[1])
	t, more := lock.Parse(texts[2])
	for i := range l {
		l[i].Hint = "so it is on this branch; mend it here, and merge then"
	}
	for i := range more {
		more[i].Hint = "so it is on the other branch; mend it there, or use the imgbuild that wrote it, and merge then"
	}
	l = append(l, more...)
	var text []byte
	if len(l) > 0 {
		text = lock.Whole(texts[1], texts[2])
	} else {
		merged := lock.Merge(b, o, t, lock.Judge{})
		text = merged.Text([2]string{"ours", "theirs"})
		for i := range merged.Conflicts {
			f := merged.Conflicts[i].Finding(text)
			f.Hint = "imgbuild lock resolve, once the configuration and the pictures are settled"
			l = append(l, f)
		}
		tellChoices(env.Stderr, merged.Choices)
	}
	name := join(env.Dir, ours)
	if err := os.WriteFile(name+".new", text, 0o666); err != nil {
		return broken(env, err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return broken(env, errors.Join(err, os.Remove(name+".new")))
	}
	for i := range l {
		f := &l[i]
		f.Text, f.Range.File, f.Related = strings.Replace(f.Text, lock.File+":", path+":", 1), path, nil
	}
	l.Text(env.Stderr, func(string) []byte { return nil }, palette(env, env.Stderr))
	if len(l) > 0 {
		return exit(exitError)
	}
	return nil
}

func broken(env *Env, err error) error {
	fmt.Fprintf(env.Stderr, "%s %s\n", palette(env, env.Stderr).Red("Error:"), diag.Clean(err.Error()))
	return exit(exitBroken)
}

func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return b, err
}
