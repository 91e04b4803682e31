package apply

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/faultfs"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// What can't be imported says why, in words about the file.
func TestImportable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("fine.png", drawn("RG"))
	s.write("page.png", []byte("<html>"))
	s.write("large.png", nil)
	outside := filepath.Join(t.TempDir(), "x.png")
	for _, err := range []error{
		os.Truncate(filepath.Join(s.dir, "large.png"), imaging.DefaultLimits.Bytes+1),
		os.Mkdir(filepath.Join(s.dir, "folder.png"), 0o777),
		os.WriteFile(outside, drawn("R"), 0o666),
		os.Symlink(outside, filepath.Join(s.dir, "link.png")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("x", 300)
	for path, want := range map[string]string{
		"fine.png":   "",
		"none.png":   `there is no file "none.png" to import | check the path; it starts from the folder of the configuration`,
		"page.png":   `"page.png" can't be imported: not a PNG, JPEG, WebP or GIF picture | PNG, JPEG, WebP and GIF can be imported`,
		"large.png":  `"large.png" has 67108865 bytes, more than the limit of 67108864 | make it smaller`,
		"folder.png": `"folder.png" is a folder | write the path of a picture`,
		"link.png":   `a link on the way to "link.png" leads out of the project | copy the picture into the project`,
		long:         `"` + long + `" can't be read: `,
	} {
		got, b := Importable(s.root(), path, imaging.DefaultLimits)
		told := ""
		if f := got.Fault; f != nil {
			if told = f.Text + " | " + f.Hint; f.Field != "import" || f.Value != path {
				t.Errorf("%s: about %s %q", path, f.Field, f.Value)
			}
		}
		if told != want && (path != long || !strings.HasPrefix(told, want)) {
			t.Errorf("%s: %s, want %s", path, told, want)
		}
		if fine := want == ""; fine != (b != nil) || got.Path != path {
			t.Errorf("%s: %d bytes of %s", path, len(b), got.Path)
		}
	}
	got, b := Importable(s.root(), "fine.png", imaging.DefaultLimits)
	if want := (provider.Image{Content: digest.OfContent(drawn("RG")), MIME: "image/png", Width: 2, Height: 1, Bytes: int64(len(b)), Model: plan.ImportedModel}); got.Image != want || !bytes.Equal(b, drawn("RG")) {
		t.Errorf("%+v", got.Image)
	}
}

// A picture that is imported is in the store before anything is written, also
// over itself; what changed or is torn is not taken.
func TestImport(t *testing.T) {
	t.Parallel()
	fine := drawn("RG", "BW")
	for _, tt := range []struct {
		name string
		path string // of the image
		file []byte
		then []byte // what the file is when the plan is applied, nil for the same
		full bool   // the disk of the store
		want string
	}{
		{"as it is", "logo.png", fine, nil, false, "done image.a"},
		{"rendered in its place", "logo.png", fine, nil, false, "done image.a"},
		{"rendered elsewhere", "other.jpg", fine, nil, false, "done image.a"},
		{"changed since", "logo.png", fine, drawn("RR"), false, "stale image.a: logo.png has changed since the plan was made"},
		{"torn", "logo.png", torn(), nil, false, "failed image.a: logo.png can't be imported: "},
		{"no room", "logo.png", fine, nil, true, "failed image.a: "},
	} {
		im := img("a")
		im.Path = tt.path
		if strings.HasPrefix(tt.name, "rendered") {
			im.File = spec.Encoding{Format: "jpeg"}
		}
		s := newSite(t, im)
		s.write("logo.png", tt.file)
		with := func(in *plan.Input) {
			got, _ := Importable(s.root(), "logo.png", imaging.DefaultLimits)
			in.Imports = map[spec.Address]plan.Imported{"image.a": got}
			in.Hashes["logo.png"] = digest.OfContent(tt.file)
		}
		p := s.save(with)
		if p.Steps[0].Verb != plan.Import {
			t.Fatalf("%s: %+v, %+v", tt.name, p.Steps, p.Problems)
		}
		if tt.then != nil {
			s.write("logo.png", tt.then)
		}
		if tt.full {
			s.change = func(e *Engine) {
				e.Store = &store.Tiers{Local: store.Open(faultfs.Wrap(e.Out.FS(".imgbuild/store"), faultfs.Fault{At: 1, Kind: faultfs.Full, Err: syscall.ENOSPC}))}
			}
		}
		res := s.apply(p)
		if got := say(res.Outcomes[0]); got != tt.want && (strings.HasPrefix(tt.want, "done") || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if len(s.maker.paid) > 0 || res.Spent != 0 {
			t.Errorf("%s: paid %v", tt.name, s.maker.paid)
		}
		now := must(os.ReadFile(filepath.Join(s.dir, "logo.png")))
		if !strings.HasPrefix(tt.want, "done") {
			if want := tt.file; tt.then == nil && !bytes.Equal(now, want) {
				t.Errorf("%s: the file was touched", tt.name)
			}
			continue
		}
		if rendered := tt.name == "rendered in its place"; rendered != !bytes.Equal(now, fine) {
			t.Errorf("%s: the file is another one: %v", tt.name, !rendered)
		}
		s.open(func(e *Engine, _ *workspace.Root) {
			entry := e.Lock.Get("image.a")
			if len(entry.Candidates) != 1 || entry.Candidates[0].Content != digest.OfContent(fine) || !e.Store.Has(digest.OfContent(fine)) {
				t.Errorf("%s: recorded %+v", tt.name, entry)
			}
			if rolls := must(e.Store.Bought(entry.Request)); len(rolls) != 1 || rolls[0].ID != "import-"+digest.OfContent(fine).String() {
				t.Errorf("%s: the index has %+v", tt.name, rolls)
			}
		})
		same(t, tt.name+", after", s.steps())
	}
}

// Whatever step of keeping an imported picture fails, its file is not written
// over: nobody else has it.
func TestEachFailureOfAnImport(t *testing.T) {
	t.Parallel()
	fine := drawn("RG", "BW")
	failed := 0
	faultfs.Each(faultfs.Fail, func(fault faultfs.Fault) (f *faultfs.FS) {
		im := img("a")
		im.Path, im.File = "logo.png", spec.Encoding{Format: "jpeg"}
		s := newSite(t, im)
		s.write("logo.png", fine)
		p := s.save(func(in *plan.Input) {
			got, _ := Importable(s.root(), "logo.png", imaging.DefaultLimits)
			in.Imports = map[spec.Address]plan.Imported{"image.a": got}
			in.Hashes["logo.png"] = digest.OfContent(fine)
		})
		s.open(func(e *Engine, root *workspace.Root) {
			f = faultfs.Wrap(root.FS(".imgbuild/store"), fault)
			e.Store = &store.Tiers{Local: store.Open(f)}
			res, err := e.Apply(t.Context(), nil, p)
			if err != nil {
				t.Fatal(err)
			}
			now := must(root.Read("logo.png", 1<<20))
			if done := res.Outcomes[0].Kind == Done; done == bytes.Equal(now, fine) {
				t.Errorf("fault at %d: %v", fault.At, sayAll(res))
			}
			if f.Hit() && res.Outcomes[0].Kind != Done {
				failed++
			}
			if !bytes.Equal(now, fine) && !store.Open(root.FS(".imgbuild/store")).Has(digest.OfContent(fine)) {
				t.Errorf("fault at %d: the picture is nowhere", fault.At)
			}
		})
		return f
	})
	if failed < 3 {
		t.Errorf("%d faults ended the step", failed)
	}
}

// A power cut after the rendition of an import took its place: the picture is in
// the store, and its record tells what it was.
func TestPowerCutAfterAnImport(t *testing.T) {
	t.Parallel()
	fine := drawn("RG", "BW")
	im := img("a")
	im.Path, im.File = "logo.png", spec.Encoding{Format: "jpeg"}
	s := newSite(t, im)
	s.write("logo.png", fine)
	s.open(func(e *Engine, root *workspace.Root) {
		disk := faultfs.NewDisk()
		e.Store = &store.Tiers{Local: store.Open(disk)}
		p := s.plan(e, root, func(in *plan.Input) {
			got, _ := Importable(root, "logo.png", imaging.DefaultLimits)
			in.Imports = map[spec.Address]plan.Imported{"image.a": got}
			in.Hashes["logo.png"] = digest.OfContent(fine)
		})
		same(t, "outcomes", sayAll(must(e.Apply(t.Context(), nil, p))), "done image.a")
		for seed := range uint64(20) {
			left := store.Open(disk.Crash(rand.New(rand.NewPCG(seed, 0))))
			b, err := left.Get(digest.OfContent(fine), imaging.DefaultLimits.Bytes)
			rolls, err2 := left.Bought(p.Steps[0].Digest)
			if !bytes.Equal(b, fine) || len(rolls) != 1 || errors.Join(err, err2) != nil {
				t.Fatalf("seed %d: %d bytes, %d records: %v, %v", seed, len(b), len(rolls), err, err2)
			}
		}
	})
}
