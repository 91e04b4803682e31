package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/afero"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/store/storetest"
)

func TestDir(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(f afero.Fs) storetest.Store { return store.Open(f) })
}

func TestTiersWithoutSecond(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(f afero.Fs) storetest.Store { return &store.Tiers{Local: store.Open(f)} })
}

func TestTiersWithSecond(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(f afero.Fs) storetest.Store {
		return &store.Tiers{Local: store.Open(folder(f, "local")), Second: store.Open(folder(f, "second")), Keep: "all"}
	})
}

// folder is a folder of a disk, made and durable.
func folder(f afero.Fs, name string) afero.Fs {
	if err := f.MkdirAll(name, 0o777); err == nil {
		if d, err := f.Open("."); err == nil {
			d.Sync()
			d.Close()
		}
	}
	return below{f, name}
}

// below is afero.BasePathFs, which makes every path absolute.
type below struct {
	afero.Fs
	dir string
}

func (b below) at(name string) string { return b.dir + "/" + name }

func (b below) Open(name string) (afero.File, error) { return b.Fs.Open(b.at(name)) }
func (b below) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	return b.Fs.OpenFile(b.at(name), flag, perm)
}
func (b below) MkdirAll(name string, perm os.FileMode) error { return b.Fs.MkdirAll(b.at(name), perm) }
func (b below) Remove(name string) error                     { return b.Fs.Remove(b.at(name)) }
func (b below) Rename(from, to string) error                 { return b.Fs.Rename(b.at(from), b.at(to)) }
func (b below) Stat(name string) (os.FileInfo, error)        { return b.Fs.Stat(b.at(name)) }

func put(t testing.TB, d interface {
	Put(context.Context, io.Reader, int64) (digest.Content, int64, error)
}, s string) digest.Content {
	t.Helper()
	c, _, err := d.Put(context.Background(), strings.NewReader(s), math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The layout is a promise: other tools find the bytes by their SHA-256.
func TestLayout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := store.Open(afero.NewBasePathFs(afero.NewOsFs(), dir))
	c := put(t, d, "abc")
	const name = "sha256/ba/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	fi, err := os.Stat(filepath.Join(dir, name))
	if err != nil || fi.Mode().Perm() != 0o444 || fi.Size() != 3 {
		t.Errorf("%v, %v", fi, err)
	}
	fields := []provider.Field{{Name: "provider", Value: "xai"}, {Name: "prompt", Value: "a <lake>"}}
	req := digest.OfRequest(provider.Canonical(fields))
	r := store.Roll{ID: "r1/0", Image: provider.Image{Content: c, Width: 1, Height: 2, Bytes: 3, MIME: "image/png", Price: 2e8}}
	if err := d.Record(req, fields, r); err != nil {
		t.Fatal(err)
	}
	hexa := strings.TrimPrefix(req.String(), "r1:")
	got, err := os.ReadFile(filepath.Join(dir, "requests", hexa[:2], hexa+".json"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "version": 2,
  "request": "` + req.String() + `",
  "fields": [
    [
      "provider",
      "xai"
    ],
    [
      "prompt",
      "a <lake>"
    ]
  ],
  "rolls": [
    {
      "id": "r1/0",
      "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      "width": 1,
      "height": 2,
      "bytes": 3,
      "mime": "image/png",
      "price": "0.02"
    }
  ],
  "sum": "1370db7ddc2bff74"
}
`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
}

func TestRecordsAreStrict(t *testing.T) {
	t.Parallel()
	disk := faultfs.NewDisk()
	d := store.Open(disk)
	fields := []provider.Field{{Name: "prompt", Value: "x"}}
	req := digest.OfRequest(provider.Canonical(fields))
	r := store.Roll{ID: "a", Image: provider.Image{Price: 1e8}}
	if err := d.Record(req, fields, r); err != nil {
		t.Fatal(err)
	}
	other := digest.OfRequest([]byte("other")).String()
	var name string
	for q := range d.Requests() {
		hexa := strings.TrimPrefix(q.String(), "r1:")
		name = "requests/" + hexa[:2] + "/" + hexa + ".json"
	}
	good, err := afero.ReadFile(disk, name)
	if err != nil {
		t.Fatal(err)
	}
	text := string(good)
	for what, bad := range map[string]string{
		"unknown field":   strings.Replace(text, `"version"`, `"more": 1, "version"`, 1),
		"trailing data":   text + "{}",
		"layout":          strings.ReplaceAll(text, "  ", "\t"),
		"duplicate key":   strings.Replace(text, `"id": "a"`, `"id": "b", "id": "a"`, 1),
		"another request": strings.Replace(text, req.String(), other, 1),
		"merge markers":   "<<<<<<< HEAD\n" + text,
		"price":           strings.Replace(text, "0.01", "-1", 1),
		"nothing":         "",
		"another price":   strings.Replace(text, `"0.01"`, `"0.03"`, 1),
		"no checksum": text[:strings.Index(text, `,
  "sum"`)] + "\n}\n",
		"an old version": strings.Replace(text, `"version": 2`, `"version": 1`, 1),
		"no version":     strings.Replace(text, `"version": 2`, `"version": 0`, 1),
	} {
		if bad == text {
			t.Fatalf("%s: nothing was spoilt", what)
		}
		if err := afero.WriteFile(disk, name, []byte(bad), 0o666); err != nil {
			t.Fatal(err)
		}
		var corrupt *store.Corrupt
		if got, err := d.Bought(req); len(got) > 0 || !errors.As(err, &corrupt) {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	crlf := strings.ReplaceAll(text, "\n", "\r\n")
	if err := afero.WriteFile(disk, name, []byte(crlf), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Bought(req); err != nil || len(got) != 1 {
		t.Errorf("with the line ends of Windows: %v, %v", got, err)
	}
	// Records of version 1 have no checksum, and their fields are compared instead.
	old := strings.Replace(text[:strings.Index(text, `,
  "sum"`)]+"\n}\n", `"version": 2`, `"version": 1`, 1)
	if err := afero.WriteFile(disk, name, []byte(strings.Replace(old, `"x"`, `"y"`, 1)), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Bought(req); err == nil {
		t.Errorf("fields of another request: %v", got)
	}
	if err := afero.WriteFile(disk, name, []byte(old), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Bought(req); err != nil || len(got) != 1 {
		t.Errorf("of version 1: %v, %v", got, err)
	}
	if err := d.Record(req, fields, store.Roll{ID: "b", Image: provider.Image{Price: 1e8}}); err != nil {
		t.Fatal(err)
	}
	if b, err := afero.ReadFile(disk, name); err != nil || !strings.Contains(string(b), `"version": 2`) {
		t.Errorf("written again: %s, %v", b, err)
	}
	newer := strings.Replace(text, `"version": 2`, `"version": 3`, 1)
	if err := afero.WriteFile(disk, name, []byte(newer), 0o666); err != nil {
		t.Fatal(err)
	}
	var corrupt *store.Corrupt
	if _, err := d.Bought(req); err == nil || errors.As(err, &corrupt) {
		t.Errorf("of a newer version: %v", err)
	}
	if err := d.Record(req, fields, r); err == nil {
		t.Error("overwrote the record of a newer version")
	}
}

func TestOpenVerifiesWhileRead(t *testing.T) {
	t.Parallel()
	disk := faultfs.NewDisk()
	d := store.Open(disk)
	c := put(t, d, "picture")
	f, err := d.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(f); err != nil || string(b) != "picture" {
		t.Errorf("%q, %v", b, err)
	}
	f.Close()
	if err := afero.WriteFile(disk, "sha256/"+c.String()[:2]+"/"+c.String(), []byte("forgery"), 0o666); err != nil {
		t.Fatal(err)
	}
	if f, err = d.Open(c); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var corrupt *store.Corrupt
	if _, err := io.ReadAll(f); !errors.As(err, &corrupt) || !errors.Is(err, store.ErrMissing) {
		t.Errorf("a forgery was read: %v", err)
	}
}

func TestListsAndRemoval(t *testing.T) {
	t.Parallel()
	disk := faultfs.NewDisk()
	d := store.Open(disk)
	var want []store.Blob
	var reqs []digest.Request
	for i := range 20 {
		s := strings.Repeat("x", i)
		want = append(want, store.Blob{Content: put(t, d, s), Bytes: int64(i)})
		reqs = append(reqs, digest.OfRequest([]byte(s)))
		if err := d.Record(reqs[i], nil, store.Roll{ID: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := afero.WriteFile(disk, "sha256/README", []byte("not ours"), 0o666); err != nil {
		t.Fatal(err)
	}
	list := func() (blobs []store.Blob, requests []digest.Request) {
		for b, err := range d.Blobs() {
			if err != nil {
				t.Fatal(err)
			}
			blobs = append(blobs, b)
		}
		for r, err := range d.Requests() {
			if err != nil {
				t.Fatal(err)
			}
			requests = append(requests, r)
		}
		return blobs, requests
	}
	slices.SortFunc(want, func(a, b store.Blob) int { return bytes.Compare(a.Content[:], b.Content[:]) })
	slices.SortFunc(reqs, func(a, b digest.Request) int { return bytes.Compare(a[:], b[:]) })
	blobs, requests := list()
	if d := cmp.Diff(want, blobs) + cmp.Diff(reqs, requests); d != "" {
		t.Error(d)
	}
	for range 2 { // removing again is no error
		if err := errors.Join(d.Remove(want[0].Content), d.RemoveRequest(reqs[0])); err != nil {
			t.Fatal(err)
		}
	}
	blobs, requests = list()
	if d := cmp.Diff(want[1:], blobs) + cmp.Diff(reqs[1:], requests); d != "" {
		t.Error(d)
	}

	// What can't be listed must not look like nothing.
	for n := 1; n < 10; n++ {
		broken := store.Open(faultfs.Wrap(disk, faultfs.Fault{At: n, Kind: faultfs.Cut}))
		var err error
		for _, err = range broken.Blobs() {
		}
		if err == nil {
			t.Errorf("a fault at %d was overlooked", n)
		}
	}
	for range store.Open(faultfs.NewDisk()).Blobs() {
		t.Error("an empty store lists something")
	}
}

// A record that could not be written is nothing to sync.
func TestSyncAfterAFailure(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		f := faultfs.Wrap(faultfs.NewDisk(), faultfs.Fault{At: n})
		d := store.Open(f)
		err := d.Record(digest.Request{1}, nil, store.Roll{ID: "a", Image: provider.Image{Content: digest.OfContent(nil), MIME: "image/png", Width: 1, Height: 1}})
		if !f.Hit() {
			break
		}
		if sync := d.Sync(); err != nil && sync != nil {
			t.Errorf("a fault at %d: %v, and then %v", n, err, sync)
		}
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	disk := faultfs.NewDisk()
	cut := store.Open(faultfs.Wrap(disk, faultfs.Fault{At: 9, Kind: faultfs.Cut}))
	if _, _, err := cut.Put(context.Background(), strings.NewReader("x"), 9); err == nil {
		t.Fatal("not cut")
	}
	d := store.Open(disk)
	if infos, _ := afero.ReadDir(disk, "tmp"); len(infos) != 1 {
		t.Fatalf("%d temporary files after a kill", len(infos))
	}
	if err := d.Sweep(); err != nil {
		t.Fatal(err)
	}
	if infos, _ := afero.ReadDir(disk, "tmp"); len(infos) != 0 {
		t.Error("a temporary file is left")
	}
	if err := store.Open(faultfs.NewDisk()).Sweep(); err != nil {
		t.Errorf("an empty store: %v", err)
	}
}

func TestTiers(t *testing.T) {
	t.Parallel()
	fields := []provider.Field{{Name: "prompt", Value: "x"}}
	req := digest.OfRequest(provider.Canonical(fields))
	setup := func(t *testing.T, keep string) (*store.Tiers, afero.Fs, [2]digest.Content, []store.Roll) {
		disk := faultfs.NewDisk()
		tiers := &store.Tiers{Local: store.Open(disk), Second: store.Open(faultfs.NewDisk()), Keep: keep}
		c := [2]digest.Content{put(t, tiers, "one"), put(t, tiers, "two")}
		rolls := []store.Roll{{ID: "a/0", Image: provider.Image{Content: c[0]}}, {ID: "a/1", Image: provider.Image{Content: c[1]}}}
		for _, r := range rolls {
			if err := tiers.Record(req, fields, r); err != nil {
				t.Fatal(err)
			}
		}
		return tiers, disk, c, rolls
	}
	for keep, want := range map[string]int{"picked": 1, "": 1, "all": 2} {
		t.Run("keep "+keep, func(t *testing.T) {
			t.Parallel()
			tiers, _, c, rolls := setup(t, keep)
			if tiers.Second.Has(c[0]) {
				t.Error("in the second tier before it was promoted")
			}
			for range 2 {
				for i := range c {
					if err := tiers.Promote(context.Background(), req, c[i], i == 0); err != nil {
						t.Fatal(err)
					}
				}
			}
			// A fresh clone has the second tier only.
			clone := &store.Tiers{Local: store.Open(faultfs.NewDisk()), Second: tiers.Second}
			got, err := clone.Bought(req)
			if err != nil || !cmp.Equal(got, rolls[:want]) {
				t.Errorf("bought %v, %v", got, err)
			}
			for i := range c {
				b, err := clone.Get(c[i], 10)
				if i < want {
					if err != nil || string(b) != [...]string{"one", "two"}[i] || !clone.Local.Has(c[i]) {
						t.Errorf("%d: %q, %v, copied: %v", i, b, err, clone.Local.Has(c[i]))
					}
				} else if !errors.Is(err, store.ErrMissing) {
					t.Errorf("%d: %v", i, err)
				}
			}
			if both, err := tiers.Bought(req); err != nil || !cmp.Equal(both, rolls) {
				t.Errorf("both tiers: %v, %v", both, err)
			}
		})
	}
	t.Run("the second heals the local", func(t *testing.T) {
		t.Parallel()
		tiers, disk, c, _ := setup(t, "all")
		if err := tiers.Promote(context.Background(), req, c[0], false); err != nil {
			t.Fatal(err)
		}
		if err := afero.WriteFile(disk, "sha256/"+c[0].String()[:2]+"/"+c[0].String(), []byte("bad"), 0o666); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if b, err := tiers.Get(c[0], 10); err != nil || string(b) != "one" {
				t.Errorf("%q, %v", b, err)
			}
		}
		if b, err := tiers.Local.Get(c[0], 10); err != nil || string(b) != "one" {
			t.Errorf("not healed: %q, %v", b, err)
		}
	})
	t.Run("damage is not promoted", func(t *testing.T) {
		t.Parallel()
		tiers, disk, c, _ := setup(t, "all")
		if err := afero.WriteFile(disk, "sha256/"+c[0].String()[:2]+"/"+c[0].String(), []byte("bad"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := tiers.Promote(context.Background(), req, c[0], true); !errors.Is(err, store.ErrMissing) {
			t.Errorf("%v", err)
		}
		for b := range tiers.Second.Blobs() {
			t.Errorf("%v was promoted", b)
		}
	})
	t.Run("one damaged record does not hide the other", func(t *testing.T) {
		t.Parallel()
		tiers, disk, c, rolls := setup(t, "all")
		if err := tiers.Promote(context.Background(), req, c[0], true); err != nil {
			t.Fatal(err)
		}
		hexa := strings.TrimPrefix(req.String(), "r1:")
		if err := afero.WriteFile(disk, "requests/"+hexa[:2]+"/"+hexa+".json", []byte("{"), 0o666); err != nil {
			t.Fatal(err)
		}
		var corrupt *store.Corrupt
		got, err := tiers.Bought(req)
		if !cmp.Equal(got, rolls[:1]) || !errors.As(err, &corrupt) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func BenchmarkPut4k(b *testing.B) {
	d := store.Open(afero.NewBasePathFs(afero.NewOsFs(), b.TempDir()))
	data := make([]byte, 4096)
	i := 0
	for b.Loop() {
		i++
		copy(data, fmt.Sprint(i))
		if _, _, err := d.Put(context.Background(), bytes.NewReader(data), 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut1M(b *testing.B) {
	d := store.Open(afero.NewBasePathFs(afero.NewOsFs(), b.TempDir()))
	data := make([]byte, 1<<20)
	i := 0
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		i++
		copy(data, fmt.Sprint(i))
		if _, _, err := d.Put(context.Background(), bytes.NewReader(data), 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	d := store.Open(afero.NewBasePathFs(afero.NewOsFs(), b.TempDir()))
	i := 0
	for b.Loop() {
		i++
		if err := d.Record(digest.OfRequest([]byte(fmt.Sprint(i))), nil, store.Roll{ID: "a"}); err != nil {
			b.Fatal(err)
		}
	}
}
