package imaging

import (
	"bytes"
	"go/build"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestSuites: each file of public suites of pictures, whether sound, odd or
// broken, ends in a picture within the limits or in an error, takes no more
// memory than was estimated, and no reader panics of it. Go's own suites and
// x/image's are always there; IMGBUILD_IMAGES lists folders with others, as PATH
// does.
func TestSuites(t *testing.T) { // not parallel: it counts what is allocated
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/image").Output()
	if err != nil {
		t.Fatal(err)
	}
	goroot := filepath.Join(build.Default.GOROOT, "src", "image")
	for dir, least := range map[string]suite{
		filepath.Join(goroot, "testdata"):                            {37, 0, 0},
		filepath.Join(goroot, "png", "testdata"):                     {40, 4, 0},
		filepath.Join(strings.TrimSpace(string(module)), "testdata"): {60, 0, 25}, // TIFF and BMP
	} {
		if s := try(t, dir); s.pictures < least.pictures || s.findings < least.findings || s.others < least.others {
			t.Errorf("%s: %+v, want at least %+v", dir, s, least)
		}
	}
	for _, dir := range filepath.SplitList(os.Getenv("IMGBUILD_IMAGES")) {
		if s := try(t, dir); s.pictures == 0 {
			t.Errorf("IMGBUILD_IMAGES: %s has no picture", dir)
		}
	}
}

// suite counts what became of files. Others are of no format that is read.
type suite struct{ pictures, findings, others int }

func try(t *testing.T, dir string) (s suite) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		switch err := whole(t, name, b, DefaultLimits); {
		case err == nil:
			s.pictures++
		case Sniff(b) == "":
			s.others++
		default:
			s.findings++
			t.Logf("%s: %v", name, err)
		}
		for _, lim := range []Limits{{1 << 10, 1 << 10, 1 << 20}, {1 << 20, 140, 1 << 14}, {1 << 20, 150, 1 << 13}} {
			whole(t, name, b, lim)
		}
		parts(t, name, b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %+v", dir, s)
	return s
}

// whole decodes a file and counts.
func whole(t *testing.T, name string, b []byte, lim Limits) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, info, err := Decode(b, lim)
	runtime.ReadMemStats(&after)
	// The file may be copied, and tables are as large for small pictures.
	need := Memory(b, lim)
	if took := int64(after.TotalAlloc - before.TotalAlloc); took > need+2*int64(len(b))+256<<10 {
		t.Errorf("%s: took %d bytes, and %d were estimated (%+v)", name, took, need, info)
	}
	if err != nil && strings.Contains(err.Error(), "gave up") {
		t.Errorf("%s: a panic: %v", name, err)
	}
	if checked, why := Check(b, lim); (why == nil) != (err == nil) || checked != info {
		t.Errorf("%s: Decode says %+v %v, Check %+v %v", name, info, err, checked, why)
	}
	if err != nil {
		return err
	}
	w, h := p.Width(), p.Height()
	switch measured, err := Measure(b, lim); {
	case err != nil || measured != info || info.Width != w || info.Height != h || len(p.Pix()) != 4*w*h:
		t.Errorf("%s: %dx%d pixels in %d bytes, Decode says %+v, Measure %+v %v", name, w, h, len(p.Pix()), info, measured, err)
	case int64(len(b)) > lim.Bytes || w > lim.Side || h > lim.Side || w*h > lim.Pixels:
		t.Errorf("%s: %+v in %d bytes is over %+v", name, info, len(b), lim)
	case need < int64(4*w*h) || need > lim.Memory():
		t.Errorf("%s: %d bytes of memory were estimated for %+v, of %d", name, need, info, lim.Memory())
	}
	return nil
}

// parts hands a file to all the other readers, none of which may panic.
func parts(t *testing.T, name string, b []byte) {
	MeasureAVIF(b, DefaultLimits)
	Texts(b)
	Told(b)
	ReadMarks(bytes.NewReader(b), int64(len(b)))
	ReadMask(b, "white", DefaultLimits)
	labelled, refused := Relabel(b, Label{SourceType: "trainedAlgorithmicMedia", Alt: name})
	p, info, err := DecodeFor(b, DefaultLimits, Box{Width: 40, Height: 40, Fit: "inside"})
	if err != nil {
		return
	}
	switch info.Format { // as they are, for a panic of theirs is spared to others
	case "png":
		readPNG(b, true)
	case "jpeg":
		readJPEGPixels(b, 1, 8)
	}
	if refused == nil {
		if q, _, err := Decode(labelled, DefaultLimits); err != nil || Digest(q) != Digest(must(Decode(b, DefaultLimits))) {
			t.Errorf("%s: other pixels with a label: %v", name, err)
		}
	}
	small := Fit(p, 40, 40, "inside", false)
	var out bytes.Buffer
	if _, err := small.Encode(&out, "png", 0, true); err != nil {
		t.Errorf("%s: %v", name, err)
	} else if q := must(Decode(out.Bytes(), DefaultLimits)); Digest(q) != Digest(small) {
		t.Errorf("%s: written and read it is another picture", name)
	}
}

func must(p *Picture, _ Info, err error) *Picture {
	if err != nil {
		panic(err)
	}
	return p
}
