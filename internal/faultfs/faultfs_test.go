package faultfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/spf13/afero"

	"github.com/imgbuild/imgbuild/internal/faultfs"
)

func write(t *testing.T, f afero.Fs, name, text string, sync ...string) {
	t.Helper()
	file, err := f.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if len(sync) > 0 {
		if err := file.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range sync {
		d, err := f.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// outcomes are the contents of a file after many power cuts; "-" if it is gone.
func outcomes(d *faultfs.Disk, name string) map[string]bool {
	out := map[string]bool{}
	for seed := range uint64(200) {
		b, err := afero.ReadFile(d.Crash(rand.New(rand.NewPCG(seed, 1))), name)
		if err != nil {
			out["-"] = true
		} else {
			out[string(b)] = true
		}
	}
	return out
}

func TestPowerCut(t *testing.T) {
	t.Parallel()
	half := string(bytes.Repeat([]byte("n"), 512))
	zero := string(make([]byte, 512))
	tests := []struct {
		name string
		do   func(t *testing.T, d *faultfs.Disk)
		want []string // of file "f"
	}{
		{"synced with its folder: always there", func(t *testing.T, d *faultfs.Disk) {
			write(t, d, "f", "new", ".")
		}, []string{"new"}},
		{"folder not synced: the name may be lost", func(t *testing.T, d *faultfs.Disk) {
			file, _ := d.Create("f")
			file.WriteString("new")
			file.Sync()
		}, []string{"new", "-"}},
		{"file not synced: the bytes may be lost", func(t *testing.T, d *faultfs.Disk) {
			write(t, d, "f", "new")
		}, []string{"new", "", "-"}},
		{"sectors are torn", func(t *testing.T, d *faultfs.Disk) {
			write(t, d, "f", "", ".")
			file, _ := d.OpenFile("f", os.O_RDWR, 0)
			file.WriteString(half + half)
		}, []string{"", half, zero + half, half + half}},
		{"renamed over, folder not synced: old or new", func(t *testing.T, d *faultfs.Disk) {
			write(t, d, "f", "old", ".")
			write(t, d, "g", "new", ".")
			if err := d.Rename("g", "f"); err != nil {
				t.Fatal(err)
			}
		}, []string{"old", "new"}},
		{"removed, folder not synced: there or not", func(t *testing.T, d *faultfs.Disk) {
			write(t, d, "f", "old", ".")
			if err := d.Remove("f"); err != nil {
				t.Fatal(err)
			}
		}, []string{"old", "-"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := faultfs.NewDisk()
			test.do(t, d)
			got := outcomes(d, "f")
			for _, want := range test.want {
				if !got[want] {
					t.Errorf("%q never happens", want)
				}
			}
			if len(got) != len(test.want) {
				t.Errorf("%d outcomes, want %d: %v", len(got), len(test.want), got)
			}
		})
	}
}

func TestSettled(t *testing.T) {
	t.Parallel()
	d := faultfs.NewDisk()
	if err := d.MkdirAll("a/b", 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, d, "a/b/f", "new")
	d.Settle()
	if got := outcomes(d, "a/b/f"); !got["new"] || len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestFolderOfUnsyncedParentIsLost(t *testing.T) {
	t.Parallel()
	d := faultfs.NewDisk()
	if err := d.MkdirAll("a/b", 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, d, "a/b/f", "new", "a/b", "a")
	if got := outcomes(d, "a/b/f"); !got["-"] || !got["new"] || len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

func TestDiskRefusesWhatDisksRefuse(t *testing.T) {
	t.Parallel()
	d := faultfs.NewDisk()
	write(t, d, "f", "x")
	if err := d.MkdirAll("dir/sub", 0o777); err != nil {
		t.Fatal(err)
	}
	_, exclusive := d.OpenFile("f", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
	_, none := d.Open("none")
	_, below := d.Open("f/below")
	for name, err := range map[string]error{
		"exclusive":        exclusive,
		"missing":          none,
		"below a file":     below,
		"full folder":      d.Remove("dir"),
		"made twice":       d.Mkdir("dir", 0o777),
		"parent missing":   d.Mkdir("x/y", 0o777),
		"rename to folder": d.Rename("f", "dir"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if !errors.Is(exclusive, fs.ErrExist) || !errors.Is(none, fs.ErrNotExist) {
		t.Errorf("got %v, %v", exclusive, none)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	// Operations: 1 opens, 2 writes, 3 syncs, 4 closes.
	work := func(f afero.Fs) error {
		file, err := f.Create("f")
		if err != nil {
			return err
		}
		_, err = file.Write([]byte("abcdefgh"))
		return errors.Join(err, file.Sync(), file.Close())
	}
	tests := []struct {
		fault faultfs.Fault
		fails bool
		left  string // "-" for no file
	}{
		{faultfs.Fault{At: 1, Kind: faultfs.Fail}, true, "-"},
		{faultfs.Fault{At: 2, Kind: faultfs.Fail}, true, ""},
		{faultfs.Fault{At: 2, Kind: faultfs.Cut}, true, "abcd"},
		{faultfs.Fault{At: 2, Kind: faultfs.Short}, true, "abcd"},
		{faultfs.Fault{At: 2, Kind: faultfs.Lie}, false, "abcd"},
		{faultfs.Fault{At: 2, Kind: faultfs.Flip}, false, "abcddfgh"},
		{faultfs.Fault{At: 2, Kind: faultfs.Full}, true, ""},
		{faultfs.Fault{At: 3, Kind: faultfs.Full}, false, "abcdefgh"},
		{faultfs.Fault{At: 1, Kind: faultfs.Frozen}, true, "-"},
		{faultfs.Fault{At: 3, Kind: faultfs.Frozen}, true, "abcdefgh"},
		{faultfs.Fault{At: 3, Kind: faultfs.Fail}, true, "abcdefgh"},
		{faultfs.Fault{At: 4, Kind: faultfs.Cut}, true, "abcdefgh"},
		{faultfs.Fault{At: 5, Kind: faultfs.Cut}, false, "abcdefgh"},
	}
	for _, test := range tests {
		d := faultfs.NewDisk()
		f := faultfs.Wrap(d, test.fault)
		err := work(f)
		if (err != nil) != test.fails {
			t.Errorf("%+v: error %v", test.fault, err)
		}
		if test.fails && !errors.Is(err, faultfs.Err) {
			t.Errorf("%+v: not our error: %v", test.fault, err)
		}
		got := "-"
		if b, err := afero.ReadFile(d, "f"); err == nil {
			got = string(b)
		}
		if got != test.left {
			t.Errorf("%+v: left %q, want %q", test.fault, got, test.left)
		}
		if f.Hit() != (test.fault.At <= 4) || f.Ops() != 4 && err == nil {
			t.Errorf("%+v: hit %v after %d operations", test.fault, f.Hit(), f.Ops())
		}
	}

	d := faultfs.NewDisk()
	write(t, d, "f", "abcdefgh")
	file, err := faultfs.Wrap(d, faultfs.Fault{At: 2, Kind: faultfs.Flip}).Open("f")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(file); err != nil || string(b) != "abcddfgh" {
		t.Errorf("a flipped read: %q, %v", b, err)
	}
}

// A full disk takes what needs no room, and a frozen one can be read.
func TestFaultsThatStay(t *testing.T) {
	t.Parallel()
	for _, kind := range []faultfs.Kind{faultfs.Full, faultfs.Frozen} {
		d := faultfs.NewDisk()
		write(t, d, "f", "abcdefgh")
		f := faultfs.Wrap(d, faultfs.Fault{At: 1, Kind: kind})
		file, err := f.OpenFile("f", os.O_RDWR, 0)
		if kind == faultfs.Frozen {
			if !errors.Is(err, faultfs.Err) {
				t.Errorf("frozen: opened for writing: %v", err)
			}
			if file, err = f.Open("f"); err != nil {
				t.Fatal(err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		_, inside := file.WriteAt([]byte("xy"), 6)
		_, longer := file.WriteAt([]byte("xy"), 7)
		for what, got := range map[string]struct{ ok, want bool }{
			"a write in the room that is there": {inside == nil, kind == faultfs.Full},
			"a longer file":                     {longer == nil, false},
			"a sync":                            {file.Sync() == nil, kind == faultfs.Full},
			"another file":                      {f.Mkdir("x", 0o777) == nil, false},
			"another name":                      {f.Rename("f", "g") == nil, kind == faultfs.Full},
			"a look":                            {func() bool { _, err := f.Open("."); return err == nil }(), true},
		} {
			if got.ok != got.want {
				t.Errorf("kind %d: %s: %v", kind, what, got.ok)
			}
		}
	}
}

func TestEachReachesEveryOperation(t *testing.T) {
	t.Parallel()
	var at []int
	faultfs.Each(faultfs.Cut, func(fault faultfs.Fault) *faultfs.FS {
		f := faultfs.Wrap(faultfs.NewDisk(), fault)
		f.Mkdir("a", 0o777)
		f.Mkdir("b", 0o777)
		at = append(at, fault.At)
		return f
	})
	if len(at) != 3 || at[2] != 3 {
		t.Errorf("ran for %v, want 1 to 3, the last untouched", at)
	}
}
