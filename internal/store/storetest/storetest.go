package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/afero"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/store"
)

// Store is what the suite asks of an implementation.
type Store interface {
	Put(ctx context.Context, r io.Reader, limit int64) (digest.Content, int64, error)
	Get(c digest.Content, limit int64) ([]byte, error)
	Has(c digest.Content) bool
	Record(req digest.Request, fields []provider.Field, r store.Roll) error
	Sync() error
	Bought(req digest.Request) ([]store.Roll, error)
}

var (
	fields  = []provider.Field{{Name: "provider", Value: "xai"}, {Name: "prompt", Value: "a <lake>\n\"at\" dawn, é"}}
	request = digest.OfRequest(provider.Canonical(fields))
)

func roll(id string, content []byte) store.Roll {
	return store.Roll{ID: id, Image: provider.Image{
		Content: digest.OfContent(content), Width: 16, Height: 9, Bytes: int64(len(content)),
		MIME: "image/png", Model: "m", RevisedPrompt: "a lake & <b>more</b>\u2028", Price: 2e8,
	}}
}

// Run runs the suite. open makes a store of a disk; opened twice on the same
// disk it finds what was there.
func Run(t *testing.T, open func(afero.Fs) Store) {
	t.Run("what is put is got", func(t *testing.T) { roundTrip(t, open(faultfs.NewDisk())) })
	t.Run("limits and cancellation", func(t *testing.T) { limits(t, open) })
	t.Run("records", func(t *testing.T) { records(t, open) })
	t.Run("killed and repeated", func(t *testing.T) { repeated(t, open) })
	t.Run("many at once", func(t *testing.T) { concurrent(t, open(faultfs.NewDisk())) })
	t.Run("damage is a miss, and heals", func(t *testing.T) { damage(t, open) })
	t.Run("a damaged record is none, and begins anew", func(t *testing.T) { damagedRecord(t, open) })
	for name, kind := range map[string]faultfs.Kind{"fail": faultfs.Fail, "cut": faultfs.Cut, "short": faultfs.Short, "lie": faultfs.Lie, "flip": faultfs.Flip} {
		t.Run("fault: "+name, func(t *testing.T) { faults(t, open, kind) })
	}
}

func roundTrip(t *testing.T, s Store) {
	for _, size := range []int{0, 1, 4096, 1<<20 + 1} {
		data := bytes.Repeat([]byte{7}, size)
		c := digest.OfContent(data)
		if s.Has(c) {
			t.Errorf("%d bytes: there before", size)
		}
		if _, err := s.Get(c, math.MaxInt64); !errors.Is(err, store.ErrMissing) {
			t.Errorf("%d bytes: got before: %v", size, err)
		}
		for range 2 { // putting again changes nothing
			got, n, err := s.Put(context.Background(), iotest.OneByteReader(bytes.NewReader(data[:min(size, 9000)])), math.MaxInt64)
			if size <= 9000 && (got != c || n != int64(size) || err != nil) {
				t.Fatalf("%d bytes, one by one: %v, %d, %v", size, got, n, err)
			}
			got, n, err = s.Put(context.Background(), bytes.NewReader(data), int64(size))
			if got != c || n != int64(size) || err != nil {
				t.Fatalf("%d bytes: %v, %d, %v", size, got, n, err)
			}
			if b, err := s.Get(c, int64(size)); err != nil || !bytes.Equal(b, data) {
				t.Errorf("%d bytes: got %d, %v", size, len(b), err)
			}
			if !s.Has(c) {
				t.Errorf("%d bytes: not there", size)
			}
		}
	}
}

func limits(t *testing.T, open func(afero.Fs) Store) {
	disk := faultfs.NewDisk()
	s := open(disk)
	var large *store.TooLarge
	if _, _, err := s.Put(context.Background(), strings.NewReader("12345"), 4); !errors.As(err, &large) || large.Limit != 4 {
		t.Errorf("put beyond the limit: %v", err)
	}
	if s.Has(digest.OfContent([]byte("12345"))) || s.Has(digest.OfContent([]byte("1234"))) {
		t.Error("kept what was refused")
	}
	broken := errors.New("broken")
	if _, _, err := s.Put(context.Background(), iotest.ErrReader(broken), 9); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := s.Put(ctx, strings.NewReader(strings.Repeat("x", 1<<20)), math.MaxInt64); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if left := temps(disk); left > 0 {
		t.Errorf("%d temporary files left behind", left)
	}
	c, _, err := s.Put(context.Background(), strings.NewReader("12345"), 5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(c, 4); !errors.As(err, &large) {
		t.Errorf("get beyond the limit: %v", err)
	}
}

// temps counts temporary files anywhere on a disk.
func temps(f afero.Fs) (n int) {
	each(f, func(p string) {
		if strings.Contains(p, "tmp/") {
			n++
		}
	})
	return n
}

func each(f afero.Fs, visit func(p string)) {
	afero.Walk(f, ".", func(p string, fi fs.FileInfo, err error) error {
		if err == nil && fi.Mode().IsRegular() {
			visit(p)
		}
		return nil
	})
}

func records(t *testing.T, open func(afero.Fs) Store) {
	disk := faultfs.NewDisk()
	s := open(disk)
	if rolls, err := s.Bought(request); err != nil || len(rolls) > 0 {
		t.Errorf("bought before: %v, %v", rolls, err)
	}
	want := []store.Roll{roll("b/0", []byte("1")), roll("a/0", []byte("2")), {ID: "c", Refused: "moderated", Image: provider.Image{Price: 3e8}}}
	for range 2 { // recording again changes nothing
		for _, r := range want {
			if err := s.Record(request, fields, r); err != nil {
				t.Fatal(err)
			}
		}
		got, err := open(disk).Bought(request)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	want[0].Refused = "blank"
	if err := s.Record(request, fields, want[0]); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Bought(request); err != nil || !cmp.Equal(want, got) {
		t.Errorf("after a change: %v, %s", err, cmp.Diff(want, got))
	}
	if got, err := s.Bought(digest.OfRequest([]byte("another"))); err != nil || len(got) > 0 {
		t.Errorf("another request: %v, %v", got, err)
	}
}

func concurrent(t *testing.T, s Store) {
	const n = 16
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			data := []byte(fmt.Sprint("image ", i/2)) // pairs put the same bytes
			c, _, err := s.Put(context.Background(), bytes.NewReader(data), 100)
			if err != nil || c != digest.OfContent(data) {
				t.Errorf("put: %v", err)
			}
			if err := s.Record(request, fields, roll(fmt.Sprint(i), data)); err != nil {
				t.Errorf("record: %v", err)
			}
			if b, err := s.Get(c, 100); err != nil || !bytes.Equal(b, data) {
				t.Errorf("get: %q, %v", b, err)
			}
		})
	}
	wg.Wait()
	if got, err := s.Bought(request); err != nil || len(got) != n {
		t.Errorf("%d of %d rolls recorded, %v", len(got), n, err)
	}
}

// files lists the paths below a folder name, wherever a store keeps it.
func files(f afero.Fs, part string) (out []string) {
	each(f, func(p string) {
		if strings.Contains(p, part) {
			out = append(out, p)
		}
	})
	return out
}

func damage(t *testing.T, open func(afero.Fs) Store) {
	data := bytes.Repeat([]byte("picture "), 64)
	for name, spoil := range map[string]func([]byte) []byte{
		"bit":       func(b []byte) []byte { b[100] ^= 4; return b },
		"truncated": func(b []byte) []byte { return b[:100] },
		"empty":     func(b []byte) []byte { return nil },
		"longer":    func(b []byte) []byte { return append(b, 'x') },
	} {
		disk := faultfs.NewDisk()
		s := open(disk)
		c, _, err := s.Put(context.Background(), bytes.NewReader(data), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range files(disk, "sha256/") {
			b, err := afero.ReadFile(disk, p)
			if err == nil {
				err = afero.WriteFile(disk, p, spoil(b), 0o666)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		b, err := s.Get(c, 1<<20)
		var corrupt *store.Corrupt
		if b != nil || !errors.Is(err, store.ErrMissing) || !errors.As(err, &corrupt) {
			t.Errorf("%s: got %q, %v", name, b, err)
		}
		if _, _, err := s.Put(context.Background(), bytes.NewReader(data), 1<<20); err != nil {
			t.Errorf("%s: put again: %v", name, err)
		}
		if b, err := s.Get(c, 1<<20); err != nil || !bytes.Equal(b, data) {
			t.Errorf("%s: not healed: %v", name, err)
		}
	}
}

func damagedRecord(t *testing.T, open func(afero.Fs) Store) {
	disk := faultfs.NewDisk()
	s := open(disk)
	if err := s.Record(request, fields, roll("a", []byte("a"))); err != nil {
		t.Fatal(err)
	}
	for _, p := range files(disk, "requests/") {
		if err := afero.WriteFile(disk, p, []byte("{"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var corrupt *store.Corrupt
	if got, err := s.Bought(request); len(got) > 0 || !errors.As(err, &corrupt) {
		t.Errorf("bought %v, %v", got, err)
	}
	want := []store.Roll{roll("b", []byte("b"))}
	if err := s.Record(request, fields, want[0]); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Bought(request); !errors.As(err, &corrupt) || !cmp.Equal(got, want) {
		t.Errorf("after recording: %v, %v", got, err)
	}
	if bad := files(disk, ".bad"); len(bad) != 1 {
		t.Errorf("set aside: %v", bad)
	}
}

// faults runs a put and a record with a fault at every operation. What was
// promised must be there, also after a power cut; what was there before must
// stay; and nothing wrong may ever be got.
func faults(t *testing.T, open func(afero.Fs) Store, kind faultfs.Kind) {
	before, data := bytes.Repeat([]byte("old"), 300), bytes.Repeat([]byte("new"), 700)
	old, fresh := roll("old", before), roll("new", data)
	faultfs.Each(kind, func(fault faultfs.Fault) *faultfs.FS {
		disk := faultfs.NewDisk()
		if _, _, err := open(disk).Put(context.Background(), bytes.NewReader(before), 1<<20); err != nil {
			t.Fatal(err)
		}
		first := open(disk)
		if err := errors.Join(first.Record(request, fields, old), first.Sync()); err != nil {
			t.Fatal(err)
		}

		f := faultfs.Wrap(disk, fault)
		s := open(f)
		_, _, putErr := s.Put(context.Background(), bytes.NewReader(data), 1<<20)
		recordErr := s.Record(request, fields, fresh)
		if putErr != nil && recordErr != nil && (kind == faultfs.Fail || kind == faultfs.Short) {
			t.Errorf("at %d: one fault failed both: %v, %v", fault.At, putErr, recordErr)
		}

		disks := []afero.Fs{disk}
		for seed := range uint64(8) {
			disks = append(disks, disk.Crash(rand.New(rand.NewPCG(seed, 3))))
		}
		for i, d := range disks {
			s := open(d)
			at := fmt.Sprintf("operation %d, disk %d", fault.At, i)
			if b, err := s.Get(old.Image.Content, 1<<20); err != nil || !bytes.Equal(b, before) {
				t.Errorf("%s: the old bytes: %v", at, err)
			}
			b, err := s.Get(fresh.Image.Content, 1<<20)
			if err != nil && putErr == nil || err == nil && !bytes.Equal(b, data) {
				t.Errorf("%s: put said %v, get says %v", at, putErr, err)
			}
			rolls, err := s.Bought(request)
			switch {
			case kind == faultfs.Lie || kind == faultfs.Flip:
				// Records are not read back: a lie is found when they are read.
				var corrupt *store.Corrupt
				if err != nil && !errors.As(err, &corrupt) {
					t.Errorf("%s: bought %v", at, err)
				}
			case err != nil || len(rolls) == 0 || !cmp.Equal(rolls[0], old):
				t.Errorf("%s: the old record: %v, %v", at, rolls, err)
			case recordErr == nil && len(rolls) != 2, len(rolls) == 2 && !cmp.Equal(rolls[1], fresh), len(rolls) > 2:
				t.Errorf("%s: record said %v, bought says %v", at, recordErr, rolls)
			}
		}
		if kind == faultfs.Short && temps(disk) > 0 {
			t.Errorf("at %d: %d temporary files left behind", fault.At, temps(disk))
		}
		return f
	})
}

// repeated kills a put and a record at every operation and does them again:
// then both must be as durable as if nothing had happened.
func repeated(t *testing.T, open func(afero.Fs) Store) {
	data := []byte("picture")
	faultfs.Each(faultfs.Cut, func(fault faultfs.Fault) *faultfs.FS {
		disk := faultfs.NewDisk()
		f := faultfs.Wrap(disk, fault)
		for _, s := range []Store{open(f), open(disk)} {
			_, _, putErr := s.Put(context.Background(), bytes.NewReader(data), 100)
			recordErr := errors.Join(s.Record(request, fields, roll("a", data)), s.Sync())
			if err := errors.Join(putErr, recordErr); err != nil && !errors.Is(err, faultfs.Err) {
				t.Fatalf("at %d: %v", fault.At, err)
			}
		}
		for seed := range uint64(8) {
			s := open(disk.Crash(rand.New(rand.NewPCG(seed, 6))))
			if b, err := s.Get(digest.OfContent(data), 100); err != nil || !bytes.Equal(b, data) {
				t.Errorf("at %d: bytes lost: %v", fault.At, err)
			}
			if rolls, err := s.Bought(request); err != nil || len(rolls) != 1 {
				t.Errorf("at %d: record lost: %v, %v", fault.At, rolls, err)
			}
		}
		return f
	})
}
