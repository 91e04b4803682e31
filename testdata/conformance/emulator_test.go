package conformance

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"image"
	"image/color"
	_ "image/jpeg"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const (
	program = "../../bin/imgbuild"
	key     = "xai-conformance"

	// Prices as published, in ticks of 1e-10 USD, of grok-imagine-image.
	priceImage = 200_000_000
	priceInput = 20_000_000
)

// emulator is the built program, started for one test, so that what it counts
// is of this test alone.
type emulator struct {
	t      *testing.T
	origin string // "http://127.0.0.1:12345"
}

// emulate starts the emulator with faults as JSON, or "", and ends it with the
// test.
func emulate(t *testing.T, profile, faults string) *emulator {
	t.Helper()
	file := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(file, []byte(cmp.Or(faults, "[]")), 0o666); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(program, "emulate", "-profile", profile, "-key", key, "-faults", file)
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("make build makes the program: %v", err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	origin, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		cmd.Process.Kill()
		cmd.Wait() // for all of stderr
		t.Fatalf("imgbuild emulate did not say where it listens, but %q\n%s", line, &stderr)
	}
	return &emulator{t, origin}
}

// charge is what a provider would have billed for one request.
type charge struct {
	Images int
	Ticks  int64
}

// stats are the number of requests that arrived, and all charges, by rising
// price.
func (e *emulator) stats() (requests int, charges []charge) {
	e.t.Helper()
	var stats struct {
		Requests int
		Charges  []charge
	}
	if err := json.Unmarshal(e.get(e.origin+"/_emulator/stats"), &stats); err != nil {
		e.t.Fatal(err)
	}
	slices.SortFunc(stats.Charges, func(a, b charge) int { return cmp.Compare(a.Ticks, b.Ticks) })
	return stats.Requests, stats.Charges
}

// billed asserts stats.
func (e *emulator) billed(requests int, charges ...charge) {
	e.t.Helper()
	if r, c := e.stats(); r != requests || !slices.Equal(c, charges) {
		e.t.Errorf("the emulator counts %d requests and charges %v, want %d and %v", r, c, requests, charges)
	}
}

// get downloads from the emulator, and from nowhere else.
func (e *emulator) get(url string) []byte {
	e.t.Helper()
	if !strings.HasPrefix(url, e.origin+"/") {
		e.t.Fatalf("%q is not at %s", url, e.origin)
	}
	r, err := http.Get(url)
	if err != nil {
		e.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 {
		e.t.Fatalf("%s: %s, %v", url, r.Status, err)
	}
	return b
}

// looks asserts that b is a picture of that format and size, all of it.
func looks(t *testing.T, b []byte, format string, width, height int) image.Image {
	t.Helper()
	p, got, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%v: %.32q", err, b)
	}
	if size := p.Bounds().Size(); got != format || size != image.Pt(width, height) {
		t.Fatalf("a %s of %v, want a %s of %dx%d", got, size, format, width, height)
	}
	return p
}

// differ asserts that no two pictures are the same.
func differ(t *testing.T, pictures ...[]byte) {
	t.Helper()
	for i, p := range pictures {
		if slices.ContainsFunc(pictures[:i], func(q []byte) bool { return bytes.Equal(p, q) }) {
			t.Errorf("picture %d is there twice", i+1)
		}
	}
}

// original is a picture to edit; mask lets its left half change.
var original, mask = toEdit(96, 64)

// toEdit makes a picture, and a mask of it that is transparent in its left half
// and opaque in its right.
func toEdit(width, height int) (picture, mask []byte) {
	p, m := image.NewNRGBA(image.Rect(0, 0, width, height)), image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			p.SetNRGBA(x, y, color.NRGBA{byte(2 * x), byte(3 * y), 90, 255})
			if x >= width/2 {
				m.SetNRGBA(x, y, color.NRGBA{A: 255})
			}
		}
	}
	return encode(p), encode(m)
}

func encode(p image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// changedOnlyLeft asserts that an edit with mask kept each pixel of the right
// half and changed much of the left.
func changedOnlyLeft(t *testing.T, picture, edited []byte) {
	t.Helper()
	before, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	size := before.Bounds().Size()
	after := looks(t, edited, "png", size.X, size.Y)
	var left, right int
	for y := range size.Y {
		for x := range size.X {
			r, g, b, a := before.At(x, y).RGBA()
			r2, g2, b2, a2 := after.At(x, y).RGBA()
			switch same := r == r2 && g == g2 && b == b2 && a == a2; {
			case same:
			case x < size.X/2:
				left++
			default:
				right++
			}
		}
	}
	if right > 0 || left < size.X*size.Y/8 {
		t.Errorf("%d pixels inside the mask changed, and %d outside", left, right)
	}
}
