package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func one[T any](luck *rand.Rand, list []T) T { return list[luck.IntN(len(list))] }

// newPicture is one that there may have been before.
func (w *world) newPicture(luck *rand.Rand, name string) *picture {
	im := &picture{name: name, prompt: one(luck, prompts), n: 1 + luck.IntN(3), stem: strings.NewReplacer(`["`, "-", `"]`, "").Replace(name), share: luck.IntN(4) == 0}
	if im.share {
		im.prompt = one(luck, sharedPrompts)
	}
	if im.n > 1 && luck.IntN(3) == 0 {
		im.pick = 1 + luck.IntN(im.n)
	}
	im.jpeg = luck.IntN(3) == 0
	im.service = w.now.endpoint != "" && luck.IntN(3) > 0
	if luck.IntN(3) == 0 {
		im.width = 4 + luck.IntN(3)
	}
	if len(w.now.images) > 0 && luck.IntN(3) == 0 {
		im.edits = one(luck, w.now.images).name
	}
	return im
}

// Who shares asks what nobody else asks: a mixture is not simple to foresee.
var (
	prompts       = []string{"tiles", "stripes", "dots", "waves"}
	sharedPrompts = []string{"circles", "arcs"}
)

const mostImages = 6

// event changes something, and in most cases applies it.
func (w *world) event(luck *rand.Rand) {
	crash := false
	replace := ""
	for range 1 + luck.IntN(3) {
		c, r := w.change(luck)
		crash = crash || c
		if r != "" {
			replace = r
		}
	}
	w.now.mend()
	// Asked for again after a crash it is rolled twice, and the lock knows one.
	if im := w.now.get(replace); crash || im == nil || im.off {
		replace = ""
	} else {
		replace = im.address()
	}
	w.apply(luck, replace, crash)
}

func (w *world) change(luck *rand.Rand) (crash bool, replace string) {
	p := &w.now
	if len(p.images) == 0 || len(p.images) < mostImages && luck.IntN(4) == 0 {
		name := fmt.Sprint("i", luck.IntN(mostImages))
		if luck.IntN(4) == 0 {
			name = fmt.Sprintf("set[%q]", one(luck, []string{"x", "y", "z"}))
		}
		if p.get(name) == nil {
			w.note("add %s", name)
			p.images = append(p.images, w.newPicture(luck, name))
		}
		return false, ""
	}
	im := one(luck, p.images)
	switch luck.IntN(28) {
	case 0, 1, 2:
		if im.share {
			im.prompt = one(luck, sharedPrompts)
		} else {
			im.prompt = one(luck, prompts)
		}
		w.note("%s: prompt %s", im.name, im.prompt)
	case 3, 4:
		im.n = 1 + luck.IntN(4)
		w.note("%s: n %d", im.name, im.n)
	case 5:
		im.pick = luck.IntN(im.n + 1)
		w.note("%s: pick %d", im.name, im.pick)
	case 6:
		im.folder = one(luck, []string{"", "a/", "b/"})
		im.jpeg = luck.IntN(2) == 0
		w.note("%s: path %s", im.name, im.path())
	case 7:
		im.width = one(luck, []int{0, 4, 5})
		w.note("%s: rendition %d", im.name, im.width)
	case 8:
		w.note("delete %s", im.name)
		p.drop(im.name)
	case 9:
		w.note("delete %s, keep its files", im.name)
		p.drop(im.name)
		if h := w.model.lock[im.address()]; h != nil {
			p.removed = append(p.removed, im.name)
		}
	case 10, 11:
		to := fmt.Sprint("i", luck.IntN(2*mostImages))
		if p.get(to) != nil || im.instance() {
			break
		}
		from := im.name
		for _, x := range p.images {
			if x.edits == from {
				x.edits = to
			}
		}
		im.name = to
		if luck.IntN(2) == 0 {
			im.stem = to
		}
		if luck.IntN(2) == 0 && w.model.lock[im.address()] == nil {
			p.moved = append(p.moved, [2]string{from, to})
			w.note("rename %s to %s, with moved", from, to)
		} else {
			w.note("rename %s to %s", from, to)
		}
	case 12:
		im.off = !im.off
		w.note("%s: enabled %v", im.name, !im.off)
	case 13:
		im.preset = !im.preset
		w.note("%s: preset %v", im.name, im.preset)
	case 14:
		im.edits = ""
		if x := one(luck, p.images); x != im {
			im.edits = x.name
		}
		w.note("%s: edits %q", im.name, im.edits)
	case 15:
		im.tag = one(luck, []string{"", "t1", "t2"})
	case 16: // to an earlier text
		if len(w.texts) > 0 {
			w.now = one(luck, w.texts).clone()
			w.note("revert the text")
		}
	case 17:
		x := one(luck, p.images)
		if luck.IntN(2) == 0 && x.share == im.share {
			im.prompt, x.prompt = x.prompt, im.prompt
			w.note("swap the prompts of %s and %s", im.name, x.name)
		} else {
			im.folder, x.folder = x.folder, im.folder
			im.stem, x.stem = x.stem, im.stem
			w.note("swap the paths of %s and %s", im.name, x.name)
		}
	case 18:
		if outs := w.outputs(); len(outs) > 0 {
			f := one(luck, slices.Sorted(maps.Keys(outs)))
			if luck.IntN(2) == 0 {
				w.note("remove %s", f)
				w.must(os.Remove(w.file(f)))
			} else {
				w.note("change %s", f)
				w.user[f] = append(outs[f], "changed"...)
				w.must(os.WriteFile(w.file(f), w.user[f], 0o666))
			}
		}
	case 19:
		w.note("crash")
		return true, ""
	case 20:
		w.note("replace %s", im.name)
		return false, im.name
	case 21:
		if len(w.branches) > 0 {
			w.checkout(one(luck, w.branches))
		}
	case 22:
		w.note("remove the lock")
		w.must(os.RemoveAll(w.file("imgbuild.lock.json")))
		for f, b := range w.outputs() { // nobody knows that they are ours
			w.user[f] = b
		}
		w.model.lock = map[string]*held{}
	case 23:
		if p.tier {
			w.note("remove .imgbuild")
			w.must(os.RemoveAll(w.file(".imgbuild")))
		}
	case 24, 25:
		w.merge(luck)
	case 26:
		h := w.model.lock[im.address()]
		if im.instance() && im.pick == 0 && !im.off && h != nil && len(h.rolls) > 1 {
			k := 1 + luck.IntN(len(h.rolls))
			w.note("imgbuild pick %s %d", im.name, k)
			w.write()
			if e := w.do("pick", im.address(), fmt.Sprint(k)); e.code != 0 {
				w.broken("pick ended with %d: %s", e.code, e.stderr)
			}
			if e := w.readLock()[im.address()]; e != nil {
				h.choice = e.Pick
			}
		}
	case 27:
		w.imports(luck)
	}
	return false, ""
}

// checkout is what version control does: configuration, lock and outputs of
// another time.
func (w *world) checkout(b branch) {
	w.note("switch to another branch")
	for p := range w.outputs() {
		w.must(os.Remove(w.file(p)))
	}
	for p, content := range b.files {
		if was, users := w.user[p]; users && string(was) != string(content) {
			continue // it would refuse; the user keeps theirs
		}
		delete(w.user, p)
		w.must(os.MkdirAll(filepath.Dir(w.file(p)), 0o777))
		w.must(os.WriteFile(w.file(p), content, 0o666))
	}
	if b.lock == nil {
		w.must(os.RemoveAll(w.file("imgbuild.lock.json")))
	} else {
		w.must(os.WriteFile(w.file("imgbuild.lock.json"), b.lock, 0o666))
	}
	w.now = b.project.clone()
	w.model.lock = b.held
}

// imports adds an image whose picture is a file of the user's.
func (w *world) imports(luck *rand.Rand) {
	name := fmt.Sprint("p", luck.IntN(3))
	if w.now.get(name) != nil || w.model.lock["image."+name] != nil {
		return
	}
	outs := w.outputs()
	for _, f := range slices.Sorted(maps.Keys(outs)) {
		if strings.HasSuffix(f, ".png") {
			w.serial++
			file := fmt.Sprintf("photos/u%d.png", w.serial)
			w.note("import %s as %s", file, name)
			w.must(os.MkdirAll(w.file("photos"), 0o777))
			w.must(os.WriteFile(w.file(file), outs[f], 0o666))
			w.user[file] = outs[f]
			w.now.images = append(w.now.images, &picture{name: name, prompt: one(luck, prompts), n: 1, stem: name, from: file})
			return
		}
	}
}

// merge lets two branches change one image each, and merges them as version
// control does. Where it can't merge the locks, ours is to resolve them.
func (w *world) merge(luck *rand.Rand) {
	if len(w.now.images) < 2 || len(w.now.moved)+len(w.now.removed) > 0 {
		return
	}
	w.now.mend()
	w.note("two branches")
	w.apply(luck, "", false)
	base := w.branches[len(w.branches)-1]
	names := []string{one(luck, w.now.images).name, one(luck, w.now.images).name}
	if names[0] == names[1] || strings.HasPrefix(names[0], "set[") || strings.HasPrefix(names[1], "set[") {
		return
	}
	var sides []branch
	for _, name := range names {
		w.checkout(base)
		im := w.now.get(name)
		switch luck.IntN(3) {
		case 0:
			im.preset = !im.preset
		case 1:
			im.n = 1 + luck.IntN(3)
		case 2:
			im.folder = one(luck, []string{"", "a/", "b/"})
		}
		w.now.mend()
		w.note("%s: preset %v, n %d, path %s", name, im.preset, im.n, im.path())
		w.apply(luck, "", false)
		sides = append(sides, w.branches[len(w.branches)-1])
	}
	lock, ok := w.mergeLocks(base.lock, sides[0].lock, sides[1].lock)
	w.count("merges", 1)
	w.note("merge")
	ours, theirs := sides[0], sides[1]
	merged := branch{project: base.project.clone(), lock: lock, files: map[string][]byte{}, held: maps.Clone(ours.held)}
	*merged.project.get(names[0]) = *ours.project.get(names[0])
	*merged.project.get(names[1]) = *theirs.project.get(names[1])
	for a := range base.held {
		if h := theirs.held[a]; h == nil {
			delete(merged.held, a)
		} else if !h.equal(base.held[a]) {
			merged.held[a] = h
		}
	}
	for a, h := range theirs.held {
		if base.held[a] == nil {
			merged.held[a] = h
		}
	}
	for _, p := range slices.Sorted(maps.Keys(mergedKeys(base.files, ours.files, theirs.files))) {
		b, o, t := base.files[p], ours.files[p], theirs.files[p]
		if string(o) == string(b) {
			o = t
		}
		if o != nil {
			merged.files[p] = o
		}
	}
	w.checkout(merged)
	if !ok {
		w.count("merges in conflict", 1)
		w.note("imgbuild lock resolve")
		w.write()
		w.conflict(base.lock, sides[0].lock, sides[1].lock)
		defer os.RemoveAll(w.file(".git"))
		switch e := w.do("lock", "resolve"); {
		case e.code == 0:
		case e.code == 1 && strings.Contains(e.stderr, "the configuration asks for neither"):
			// The two branches also made room for each other, in ways that no one
			// asks for together: that is for people.
			w.note("the merge is given up")
			w.checkout(sides[0])
		default:
			w.broken("lock resolve ended with %d: %s%s\n%s", e.code, e.stdout, e.stderr, lock)
		}
	}
}

// conflict makes a repository whose index holds the lock in conflict.
func (w *world) conflict(stages ...[]byte) {
	git := func(in []byte, args ...string) string {
		c := exec.Command("git", args...)
		c.Dir, c.Stdin = w.dir, bytes.NewReader(in)
		out, err := c.Output()
		w.must(err)
		return strings.TrimSpace(string(out))
	}
	git(nil, "init", "-q")
	var index strings.Builder
	for i, b := range stages {
		fmt.Fprintf(&index, "100644 %s %d\timgbuild.lock.json\n", git(b, "hash-object", "-w", "--stdin"), i+1)
	}
	git([]byte(index.String()), "update-index", "--index-info")
}

func mergedKeys(all ...map[string][]byte) map[string]bool {
	out := map[string]bool{}
	for _, m := range all {
		for k := range m {
			out[k] = true
		}
	}
	return out
}

// mergeLocks is what git makes of three texts; not ok if they are in conflict.
func (w *world) mergeLocks(base, ours, theirs []byte) ([]byte, bool) {
	dir, err := os.MkdirTemp(w.trial.dir, "merge-")
	w.must(err)
	defer os.RemoveAll(dir)
	args := []string{"merge-file", "-p"}
	for i, b := range [][]byte{ours, base, theirs} {
		name := filepath.Join(dir, fmt.Sprint(i))
		w.must(os.WriteFile(name, b, 0o666))
		args = append(args, name)
	}
	out, err := exec.Command("git", args...).Output()
	return out, err == nil
}
