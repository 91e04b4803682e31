package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/afero"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/store"
)

// stocked is a store with pictures and records, and the paths of its files.
func stocked(t testing.TB, n int) (*faultfs.Disk, []string) {
	t.Helper()
	disk := faultfs.NewDisk()
	d := store.Open(disk)
	for i := range n {
		c := put(t, d, strings.Repeat(fmt.Sprint("picture ", i), 100))
		fields := []provider.Field{{Name: "provider", Value: "xai"}, {Name: "prompt", Value: fmt.Sprint("a lake ", i)}}
		r := store.Roll{ID: fmt.Sprint("a/", i), Image: provider.Image{Content: c, Width: 3, Height: 4, Bytes: 5, MIME: "image/png", Model: "m", RevisedPrompt: "lake", Price: 2e8, C2PA: i%2 == 0, SourceType: "digitalCapture"}}
		if err := d.Record(digest.OfRequest(provider.Canonical(fields)), fields, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	var paths []string
	_ = afero.Walk(disk, ".", func(p string, fi fs.FileInfo, err error) error {
		if err == nil && !fi.IsDir() {
			paths = append(paths, p)
		}
		return err
	})
	return disk, paths
}

func check(t testing.TB, f afero.Fs) store.Census {
	t.Helper()
	c, err := store.Open(f).Check(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCheck(t *testing.T) {
	t.Parallel()
	disk, paths := stocked(t, 5)
	if c := check(t, disk); len(c.Faults) > 0 || len(c.Blobs) != 5 || len(c.Records) != 5 || c.Bytes != 5*900 {
		t.Fatalf("%+v", c)
	}
	if c := check(t, faultfs.NewDisk()); len(c.Faults)+len(c.Blobs) > 0 {
		t.Errorf("of nothing: %+v", c)
	}
	record := paths[slices.IndexFunc(paths, func(p string) bool { return strings.HasPrefix(p, "requests") })]
	blob := paths[slices.IndexFunc(paths, func(p string) bool { return strings.HasPrefix(p, "sha256") })]
	for p, text := range map[string]string{
		"tmp/0123": "x", "notes.txt": "x", "sha256/00/" + blob[10:]: "x", record + ".bad": "{", "requests/x.json": "{}", "damaged/old": "x",
	} {
		if err := errors.Join(disk.MkdirAll(p[:strings.LastIndex("/"+p, "/")], 0o777), afero.WriteFile(disk, p, []byte(text), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if err := disk.Chmod(blob, 0o644); err != nil {
		t.Fatal(err)
	}
	var kinds []store.FaultKind
	for _, f := range check(t, disk).Faults {
		kinds = append(kinds, f.Kind)
	}
	slices.Sort(kinds)
	want := []store.FaultKind{store.OldBad, store.Leftover, store.Foreign, store.Foreign, store.Foreign, store.Writable, store.KeptDamage}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Error(d)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := store.Open(disk).Check(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Every flipped bit is found, and nothing else with it.
func TestCheckFindsEveryFlip(t *testing.T) {
	t.Parallel()
	disk, paths := stocked(t, 3)
	luck := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		p := paths[luck.IntN(len(paths))]
		b, err := afero.ReadFile(disk, p)
		if err != nil {
			t.Fatal(err)
		}
		bad := slices.Clone(b)
		at, bit := luck.IntN(len(b)), luck.IntN(8)
		bad[at] ^= 1 << bit
		if err := afero.WriteFile(disk, p, bad, 0o666); err != nil {
			t.Fatal(err)
		}
		c := check(t, disk)
		if len(c.Faults) != 1 || c.Faults[0].Path != p || c.Faults[0].Kind == store.Writable {
			t.Fatalf("%s, byte %d, bit %d: %+v", p, at, bit, c.Faults)
		}
		if err := afero.WriteFile(disk, p, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// A damaged file is where it was or set aside, whole, whatever happens.
func TestSetAsideKilledAnywhere(t *testing.T) {
	t.Parallel()
	faultfs.Each(faultfs.Cut, func(fault faultfs.Fault) *faultfs.FS {
		disk, paths := stocked(t, 1)
		want, err := afero.ReadFile(disk, paths[0])
		if err != nil {
			t.Fatal(err)
		}
		f := faultfs.Wrap(disk, fault)
		to, err := store.Open(f).SetAside(paths[0])
		if err == nil {
			disk = disk.Crash(rand.New(rand.NewPCG(1, 2)))
		}
		here, _ := afero.ReadFile(disk, paths[0])
		there, _ := afero.ReadFile(disk, "damaged/"+paths[0][strings.LastIndex(paths[0], "/")+1:])
		if bytes.Equal(here, want) == bytes.Equal(there, want) || err == nil && (to == "" || here != nil) {
			t.Fatalf("operation %d: %q, %v; %d bytes here, %d there", fault.At, to, err, len(here), len(there))
		}
		return f
	})
}

func TestGlean(t *testing.T) {
	t.Parallel()
	disk, paths := stocked(t, 1)
	p := paths[slices.IndexFunc(paths, func(p string) bool { return strings.HasPrefix(p, "requests") })]
	text, err := afero.ReadFile(disk, p)
	if err != nil {
		t.Fatal(err)
	}
	fields := []provider.Field{{Name: "provider", Value: "xai"}, {Name: "prompt", Value: "a lake 0"}}
	req := digest.OfRequest(provider.Canonical(fields))
	for old, want := range map[string][2]int{"lake 0": {0, 1}, `lake"`: {2, 1}, "version\"": {0, 0}} {
		bad := bytes.Replace(text, []byte(old), append([]byte{old[0] ^ 3}, old[1:]...), 1)
		if strings.HasPrefix(old, "version") {
			bad = []byte("{" + string(text))
		}
		if err := afero.WriteFile(disk, p, bad, 0o666); err != nil {
			t.Fatal(err)
		}
		f, rolls, sure := store.Open(disk).Glean(p, req)
		if len(f) != want[0] || len(rolls) != want[1] || sure {
			t.Errorf("%s: %v, %v", old, f, rolls)
		}
	}
}
