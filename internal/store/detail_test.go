package store

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/afero"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/provider"
)

func noted(t testing.TB, d *Dir, id string, price provider.Money) (digest.Request, string) {
	t.Helper()
	fields := []provider.Field{{Name: "provider", Value: "xai"}, {Name: "prompt", Value: "a lake"}}
	req := digest.OfRequest(provider.Canonical(fields))
	if err := d.Record(req, fields, Roll{ID: id, Image: provider.Image{Price: price, Content: digest.OfContent([]byte(id))}}); err != nil {
		t.Fatal(err)
	}
	return req, recordPath(req)
}

// What is wrong with a record is said as it is.
func TestParseRecordSays(t *testing.T) {
	t.Parallel()
	req := digest.OfRequest([]byte("x"))
	encode := func(version int) []byte {
		rec := record{Version: version, Request: req, Fields: [][2]string{}, Rolls: []roll{{ID: "a", Price: 2e8}}}
		return rec.encode()
	}
	swap := func(b []byte, old, new string) []byte {
		return []byte(strings.Replace(string(b), old, new, 1))
	}
	for _, tt := range []struct {
		name string
		text []byte
		want string
	}{
		{"whole", encode(2), ""},
		{"another price", swap(encode(2), "0.02", "0.03"), "its checksum is another one"},
		{"spaces", append(encode(2), ' '), "it is not in canonical form"},
		{"spaces, and no checksum", append(encode(1), ' '), "it is not in canonical form"},
		{"without a checksum the fields must give the request", encode(1), "its fields are not those of its request"},
	} {
		_, err := parseRecord(tt.text)
		if got := fmt.Sprint(err); got != tt.want && (err != nil || tt.want != "") {
			t.Errorf("%s: %s, want %q", tt.name, got, tt.want)
		}
	}
}

// Nothing that was set aside before is written over.
func TestSetAsideBesideOthers(t *testing.T) {
	t.Parallel()
	disk := faultfs.NewDisk()
	d := Open(disk)
	for i, want := range []string{"damaged/x", "damaged/x.2", "damaged/x.3"} {
		if err := errors.Join(disk.MkdirAll("requests", 0o777), afero.WriteFile(disk, "requests/x", []byte{byte(i)}, 0o666)); err != nil {
			t.Fatal(err)
		}
		if to, err := d.SetAside("requests/x"); err != nil || to != want {
			t.Errorf("%s, %v; want %s", to, err, want)
		}
		if b, err := afero.ReadFile(disk, want); err != nil || len(b) != 1 || b[0] != byte(i) {
			t.Errorf("%s: %v, %v", want, b, err)
		}
	}
	if _, err := d.SetAside("requests/x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}

// What was free was a purchase, too.
func TestGleanFree(t *testing.T) {
	t.Parallel()
	disk := faultfs.NewDisk()
	req, p := noted(t, Open(disk), "a", 0)
	if fields, rolls, _ := Open(disk).Glean(p, req); len(fields) != 2 || len(rolls) != 1 {
		t.Errorf("%v, %v", fields, rolls)
	}
	if fields := Open(disk).Fields(req); len(fields) != 2 {
		t.Errorf("%v", fields)
	}
	if fields := Open(disk).Fields(digest.OfRequest(nil)); fields != nil {
		t.Errorf("of no record: %v", fields)
	}
	if err := afero.WriteFile(disk, p, []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if fields := Open(disk).Fields(req); fields != nil {
		t.Errorf("of a damaged record: %v", fields)
	}
}

// counting counts the calls that make all of the disk durable, and the files
// that are opened.
type counting struct {
	afero.Fs
	all, opened int
	err         error
}

func (c *counting) SyncAll() error { c.all++; return c.err }
func (c *counting) Open(name string) (afero.File, error) {
	c.opened++
	return c.Fs.Open(name)
}

// Many records are made durable by one call, where there is one.
func TestSyncAll(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for _, tt := range []struct {
		name   string
		loose  int
		err    error
		all    int
		opened bool
		want   error
	}{
		{"few", manyLoose, nil, 0, true, nil},
		{"many", manyLoose + 1, nil, 1, false, nil},
		{"many, and there is no such call", manyLoose + 1, errors.ErrUnsupported, 1, true, nil},
		{"many, and it fails", manyLoose + 1, failed, 1, false, failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &counting{Fs: faultfs.NewDisk(), err: tt.err}
			d := Open(f)
			for i := range tt.loose {
				req := digest.OfRequest(fmt.Append(nil, i))
				if err := d.Record(req, nil, Roll{ID: "a"}); err != nil {
					t.Fatal(err)
				}
			}
			f.opened = 0
			if err := d.Sync(); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if f.all != tt.all || f.opened > 0 != tt.opened {
				t.Errorf("%d calls for all, %d files opened", f.all, f.opened)
			}
			if tt.want != nil && len(d.loose) != tt.loose {
				t.Errorf("of %d records that are not durable %d are known", tt.loose, len(d.loose))
			}
			f.all, f.opened = 0, 0
			if tt.want == nil {
				if err := d.Sync(); err != nil || f.all+f.opened > 0 {
					t.Errorf("nothing is left to do: %v, %d calls, %d files", err, f.all, f.opened)
				}
			}
		})
	}
}

// brief is a file system that writes less than it is given, and says nothing.
type brief struct{ afero.Fs }

type briefFile struct{ afero.File }

func (b brief) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	f, err := b.Fs.OpenFile(name, flag, perm)
	return briefFile{f}, err
}

func (b briefFile) Write(p []byte) (int, error) { return b.File.Write(p[:len(p)/2]) }

func TestShortRecord(t *testing.T) {
	t.Parallel()
	disk := faultfs.NewDisk()
	req := digest.OfRequest([]byte("x"))
	if err := Open(brief{disk}).Record(req, nil, Roll{ID: "a"}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("%v", err)
	}
	if rolls, err := Open(disk).Bought(req); len(rolls) > 0 || err != nil {
		t.Errorf("half a record: %v, %v", rolls, err)
	}
}

// Both tiers may have something to say.
func TestBoughtSaysBoth(t *testing.T) {
	t.Parallel()
	local, second := faultfs.NewDisk(), faultfs.NewDisk()
	tiers := &Tiers{Local: Open(local), Second: Open(second)}
	req, p := noted(t, tiers.Local, "a", 1)
	noted(t, tiers.Second, "b", 1)
	damage := func(f afero.Fs) {
		if err := afero.WriteFile(f, p, []byte("{"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	faults := func() (n int) {
		_, err := tiers.Bought(req)
		for ; err != nil; n++ {
			many, ok := err.(interface{ Unwrap() []error })
			if !ok {
				return n + 1
			}
			err = many.Unwrap()[1]
		}
		return n
	}
	if rolls, err := tiers.Bought(req); len(rolls) != 2 || err != nil {
		t.Errorf("%v, %v", rolls, err)
	}
	damage(local)
	rolls, err := tiers.Bought(req)
	var of *Corrupt
	if len(rolls) != 1 || !errors.As(err, &of) || faults() != 1 {
		t.Errorf("local: %v, %v", rolls, err)
	}
	damage(second)
	if rolls, err := tiers.Bought(req); len(rolls) != 0 || faults() != 2 {
		t.Errorf("both: %v, %v", rolls, err)
	}
}

// Each text as encoding/json writes it, also where it has nothing to escape but
// one character.
func TestAppendText(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"": `""`, " ~": `" ~"`, "<&>": `"<&>"`, "\n": `"\n"`, "\x1f": `"\u001f"`, "\u2028": `"\u2028"`, "\xff": `"\ufffd"`, `"`: `"\""`, `\`: `"\\"`} {
		if got := string(appendText(nil, s)); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

// closed is a file system that can't be written.
type closed struct{ afero.Fs }

func (closed) OpenFile(string, int, os.FileMode) (afero.File, error) { return nil, os.ErrPermission }

// A picture is promoted with every roll that it came by, or it is an error.
func TestPromoteRecords(t *testing.T) {
	t.Parallel()
	local, second := Open(faultfs.NewDisk()), faultfs.NewDisk()
	c, _, err := local.Put(t.Context(), strings.NewReader("a"), 1)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := noted(t, local, "a", 1)
	fields := local.Fields(req)
	if err := local.Record(req, fields, Roll{ID: "again", Image: provider.Image{Content: c}}); err != nil {
		t.Fatal(err)
	}
	tiers := &Tiers{Local: local, Second: Open(second), Keep: "all"}
	if err := tiers.Promote(t.Context(), req, c, true); err != nil {
		t.Fatal(err)
	}
	if rolls, err := tiers.Second.Bought(req); len(rolls) != 2 || err != nil {
		t.Errorf("%v, %v", rolls, err)
	}
	other := digest.OfRequest([]byte("other"))
	if err := local.Record(other, nil, Roll{ID: "a", Image: provider.Image{Content: c}}); err != nil {
		t.Fatal(err)
	}
	tiers.Second = Open(closed{second})
	if err := tiers.Promote(t.Context(), other, c, true); !errors.Is(err, os.ErrPermission) {
		t.Errorf("the record was not written: %v", err)
	}
}

// A record that is damaged twice leaves both, and says so until both are
// mended, the older first.
func TestDamagedTwice(t *testing.T) {
	t.Parallel()
	disk := faultfs.NewDisk()
	d := Open(disk)
	req, p := noted(t, d, "a", 1)
	for _, id := range []string{"b", "c", "d"} {
		if err := afero.WriteFile(disk, p, []byte("{"+id), 0o666); err != nil {
			t.Fatal(err)
		}
		noted(t, d, id, 1)
	}
	census, err := d.Check(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, f := range census.Faults {
		b, err := afero.ReadFile(disk, f.Path)
		if err != nil || f.Kind != OldBad || f.Request != req {
			t.Errorf("%+v, %v", f, err)
		}
		kept = append(kept, string(b))
		var of *Corrupt
		if rolls, err := d.Bought(req); len(rolls) != 1 || !errors.As(err, &of) {
			t.Errorf("%v, %v", rolls, err)
		}
		if _, err := d.SetAside(f.Path); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"{b", "{c", "{d"}; !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q", kept, want)
	}
	if rolls, err := d.Bought(req); len(rolls) != 1 || err != nil {
		t.Errorf("mended: %v, %v", rolls, err)
	}
}

// endless is a file that has no end, as far as anybody waits for it.
type endless struct {
	afero.Fs
	read int
}

type endlessFile struct {
	afero.File
	fs *endless
}

func (e *endless) Open(name string) (afero.File, error) {
	f, err := e.Fs.Open(name)
	return endlessFile{f, e}, err
}

func (f endlessFile) Read(b []byte) (int, error) {
	f.fs.read += len(b)
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// Nobody reads a record without bound, and one that is too long for that is
// not written.
func TestLongRecord(t *testing.T) {
	t.Parallel()
	disk := &endless{Fs: faultfs.NewDisk()}
	req, p := noted(t, Open(disk.Fs), "a", 1)
	var of *Corrupt
	if rolls, err := Open(disk).Bought(req); len(rolls) > 0 || !errors.As(err, &of) {
		t.Errorf("%v, %v", rolls, err)
	}
	if fields, rolls, sure := Open(disk).Glean(p, req); fields != nil || rolls != nil || sure {
		t.Errorf("%v, %v", fields, rolls)
	}
	if disk.read > 6*maxRecord {
		t.Errorf("read %d bytes", disk.read)
	}
	long := []provider.Field{{Name: "prompt", Value: strings.Repeat("x", maxRecord)}}
	var limit *TooLarge
	if err := Open(disk.Fs).Record(digest.OfRequest([]byte("long")), long, Roll{ID: "a"}); !errors.As(err, &limit) {
		t.Errorf("%v", err)
	}
}

// Until a record is rewritten its name is taken, and what was damaged is kept
// once, wherever the repair is cut off and begun again.
func TestRewriteKilledAnywhere(t *testing.T) {
	t.Parallel()
	faultfs.Each(faultfs.Cut, func(fault faultfs.Fault) *faultfs.FS {
		disk := faultfs.NewDisk()
		req, p := noted(t, Open(disk), "a", 1)
		rolls, err := Open(disk).Bought(req)
		if err == nil {
			err = afero.WriteFile(disk, p, []byte("{"), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
		disk.Settle()
		f := faultfs.Wrap(disk, fault)
		mend := func(d *Dir) (string, error) {
			to, err := d.KeepCopy(p)
			if err == nil {
				err = d.Rewrite(req, nil, rolls)
			}
			return to, err
		}
		_, err = mend(Open(f))
		disk = disk.Crash(rand.New(rand.NewPCG(1, uint64(fault.At))))
		var of *Corrupt
		switch got, bought := Open(disk).Bought(req); {
		case errors.As(bought, &of) && err != nil:
			if to, err := mend(Open(disk)); err != nil || to != "damaged/"+path.Base(p) {
				t.Errorf("operation %d: again: %s, %v", fault.At, to, err)
			}
		case bought != nil || !slices.Equal(got, rolls):
			t.Errorf("operation %d: %v, %v", fault.At, got, bought)
		}
		if b, err := afero.ReadFile(disk, "damaged/"+path.Base(p)); err != nil || string(b) != "{" {
			t.Errorf("operation %d: kept %q, %v", fault.At, b, err)
		}
		return f
	})
}

// Each single bit of a record that changed is found and put right. With another
// one it is not, unless that is of no account.
func TestGleanUnflips(t *testing.T) {
	t.Parallel()
	disk := faultfs.NewDisk()
	req, p := noted(t, Open(disk), "a", 1)
	text, err := afero.ReadFile(disk, p)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Open(disk).Bought(req)
	if err != nil {
		t.Fatal(err)
	}
	glean := func(b []byte) ([]Roll, bool) {
		if err := afero.WriteFile(disk, p, b, 0o666); err != nil {
			t.Fatal(err)
		}
		_, rolls, sure := Open(disk).Glean(p, req)
		return rolls, sure
	}
	unsure := 0
	for i := range text {
		b := slices.Clone(text)
		b[i] ^= 1 << (i % 8)
		if rolls, sure := glean(b); !sure || !slices.Equal(rolls, want) {
			t.Errorf("byte %d, bit %d: %v, %v", i, i%8, rolls, sure)
		}
		if i%5 != 0 {
			continue
		}
		b[(i+len(b)/3)%len(b)] ^= 1
		if rolls, sure := glean(b); sure && !slices.Equal(rolls, want) {
			t.Errorf("byte %d and another: %v", i, rolls)
		} else if !sure {
			unsure++
		}
	}
	if unsure < len(text)/5/2 {
		t.Errorf("only %d pairs are unsure", unsure)
	}
}
