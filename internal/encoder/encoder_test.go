package encoder

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imgbuild/imgbuild/internal/imaging"
)

// scene is a picture with edges and gradients; with alpha, glass on the right.
func scene(w, h int, alpha bool) *imaging.Picture {
	p := imaging.New(w, h)
	pix := p.Pix()
	for i := 0; i < len(pix); i += 4 {
		x, y := i/4%w, i/4/w
		c := []byte{byte(255 * x / w), byte(255 * y / h), 60, 255}
		if (x-w/2)*(x-w/2)+(y-h/2)*(y-h/2) < w*h/16 {
			c = []byte{220, 40, 30, 255}
		}
		if alpha && x > 3*w/4 {
			c[3] = 128
		}
		copy(pix[i:], c)
	}
	return p
}

// only is an environment whose PATH has just these programs, and the shell.
func only(t *testing.T, programs ...string) func(string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range programs {
		path, err := exec.LookPath(name)
		if err != nil {
			missing(t, name)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string { return map[string]string{"PATH": dir, "HOME": dir}[name] }
}

// missing fails a test that needs a program.
func missing(t *testing.T, name string) {
	t.Helper()
	t.Fatalf("not run: there is no %s; scripts/setup installs it", name)
}

// apart is the mean difference of two pictures, in levels, of what is seen on
// white.
func apart(t *testing.T, a, b *imaging.Picture) float64 {
	t.Helper()
	white := [3]byte{255, 255, 255}
	x, y := a.On(white).Pix(), b.On(white).Pix()
	if len(x) != len(y) {
		t.Fatalf("%dx%d and %dx%d", a.Width(), a.Height(), b.Width(), b.Height())
	}
	sum := 0
	for i := range x {
		sum += max(int(x[i])-int(y[i]), int(y[i])-int(x[i]))
	}
	return float64(sum) / float64(len(x))
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		program string
		file    File
	}{
		{"cwebp", File{Format: "webp"}}, {"cwebp", File{Format: "webp", Quality: 30}},
		{"vips", File{Format: "webp"}}, {"vips", File{Format: "avif"}},
		{"avifenc", File{Format: "avif"}}, {"avifenc", File{Format: "avif", Quality: 90}}, {"avifenc", File{Format: "avif", Lossless: true}},
	} {
		for _, alpha := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%s/%d/%v/%v", tt.program, tt.file.Format, tt.file.Quality, tt.file.Lossless, alpha), func(t *testing.T) {
				t.Parallel()
				s := &Set{Getenv: only(t, tt.program)}
				if got := s.Find(tt.file); got != tt.program {
					t.Fatalf("finds %q", got)
				}
				p := scene(151, 97, alpha)
				b, by, err := s.Encode(t.Context(), p, tt.file)
				if err != nil {
					t.Fatal(err)
				}
				if name, version, _ := strings.Cut(by, " "); name != tt.program || !number.MatchString(version) {
					t.Errorf("by %q", by)
				}
				if off := apart(t, p, decoded(t, b)); off > 3 || tt.file.Lossless && off > 0 {
					t.Errorf("%d bytes, off by %.2f", len(b), off)
				} else {
					t.Logf("%d bytes, off by %.2f", len(b), off)
				}
			})
		}
	}
}

// decoded is what a file shows: of an AVIF as avifdec tells.
func decoded(t *testing.T, b []byte) *imaging.Picture {
	t.Helper()
	if info, err := imaging.MeasureAVIF(b, imaging.DefaultLimits); err == nil {
		dir := t.TempDir()
		in, out := filepath.Join(dir, "a.avif"), filepath.Join(dir, "a.png")
		if err := os.WriteFile(in, b, 0o666); err != nil {
			t.Fatal(err)
		}
		avifdec, err := exec.LookPath("avifdec")
		if err != nil {
			missing(t, "avifdec")
		}
		if words, err := exec.Command(avifdec, in, out).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, words)
		}
		if b, err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
		p, got, err := imaging.Decode(b, imaging.DefaultLimits)
		if err != nil || got.Width != info.Width || got.Height != info.Height {
			t.Fatal(got, info, err)
		}
		return p
	}
	p, _, err := imaging.Decode(b, imaging.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fake is an environment with programs that are shell scripts.
func fake(t *testing.T, scripts map[string]string) func(string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string { return map[string]string{"PATH": dir + ":/usr/bin:/bin"}[name] }
}

func TestBadPrograms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	save := func(name string, p *imaging.Picture, format string) string {
		var b bytes.Buffer
		if _, err := p.Encode(&b, format, 0, true); err != nil {
			t.Fatal(err)
		}
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		return name
	}
	right := save("right.webp", scene(20, 10, false), "webp")
	small := save("small.webp", scene(10, 10, false), "webp")
	other := save("other.png", scene(20, 10, false), "png")
	for name, tt := range map[string]struct{ cwebp, want string }{
		"works":       {"cat >/dev/null; cat " + right, ""},
		"reads none":  {"cat " + right, ""},
		"fails":       {"cat >/dev/null; echo 'Error! Cannot read' >&2; echo 'input picture' >&2; exit 255", "cwebp ends with exit status 255: Error! Cannot read input picture"},
		"is killed":   {"kill -9 $$", "cwebp ends with signal: killed"},
		"is silent":   {"cat >/dev/null", "cwebp wrote no webp: not a PNG, JPEG, WebP or GIF picture"},
		"is cut off":  {"cat >/dev/null; head -c 60 " + right, "cwebp wrote no webp: webp: cut off: 60 bytes of"},
		"writes text": {"echo all is well", "cwebp wrote no webp: not a PNG"},
		"another":     {"cat " + other, "cwebp wrote no webp: it is a png"},
		"smaller":     {"cat " + small, "cwebp wrote no webp: it is 10x10 instead of 20x10"},
		"too much":    {"cat /dev/zero", "cwebp: it prints more than 67108864 bytes"},
		"leaves one":  {"sleep 1000 & cat " + right, "cwebp: exec: WaitDelay expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Set{Getenv: fake(t, map[string]string{"cwebp": `if [ "$1" = -version ]; then echo 9.8.7; exit; fi; ` + tt.cwebp})}
			b, by, err := s.Encode(t.Context(), scene(20, 10, false), File{Format: "webp"})
			if tt.want == "" {
				if err != nil || by != "cwebp 9.8.7" || len(b) == 0 {
					t.Errorf("%d bytes by %q, %v", len(b), by, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.want) || b != nil {
				t.Errorf("%d bytes, %v", len(b), err)
			}
		})
	}
	t.Run("hangs", func(t *testing.T) {
		t.Parallel()
		s := &Set{Getenv: fake(t, map[string]string{"cwebp": "sleep 1000"})}
		call := callFor("cwebp", "", scene(20, 10, false), File{Format: "webp"})
		call.Time, call.Output = 50*time.Millisecond, 100
		if _, err := call.Run(t.Context(), s.Getenv); err == nil || !strings.Contains(err.Error(), "cwebp takes longer than 50ms") {
			t.Error(err)
		}
	})
}

func TestTimeFor(t *testing.T) {
	t.Parallel()
	for pixels, want := range map[int]time.Duration{0: time.Minute, 64 << 20: 10 * time.Minute, 128 << 20: 19 * time.Minute, 1792 * 1024: time.Minute + 14765625*time.Microsecond} {
		if got := timeFor(pixels); got != want {
			t.Errorf("%d pixels: %s, want %s", pixels, got, want)
		}
	}
}

// TestVersions: avifenc has a quality since 1.0, and before that quantizers only,
// which later ones call deprecated. What it is told of the pixels, and of the
// input, it is told in either.
func TestVersions(t *testing.T) {
	t.Parallel()
	const pixels, input = "-j 1 -s 6 -r full --cicp 1/13/", "--stdin -o"
	for _, tt := range []struct {
		says string
		file File
		want string
	}{
		{"Version: 0.11.1 (dav1d [dec]:1.0.0)", File{Quality: 75}, "6 --min 0 --max 63 --minalpha 0 --maxalpha 0 -a end-usage=q -a color:cq-level=16 "},
		{"Version: 0.11.1 (dav1d [dec]:1.0.0)", File{Lossless: true}, "0 --min 0 --max 0 --minalpha 0 --maxalpha 0 "},
		{"Version: 1.0.4 (aom [enc/dec]:v3.6.0)", File{Quality: 75}, "6 -q 75 --qalpha 100 "},
		{"Version: 1.4.2 (aom [enc/dec]:v3.6.0)", File{}, "6 -q 50 --qalpha 100 "},
		{"Version: 1.4.2 (aom [enc/dec]:v3.6.0)", File{Quality: 75, Lossless: true}, "0 -q 100 --qalpha 100 "},
		{"Version: 10.1 (aom [enc/dec]:v3.6.0)", File{Lossless: true}, "0 -q 100 --qalpha 100 "},
		{"who knows", File{Quality: 75}, "6 -q 75 --qalpha 100 "},
	} {
		said := filepath.Join(t.TempDir(), "arguments")
		s := &Set{Getenv: fake(t, map[string]string{"avifenc": `if [ "$1" = --version ]; then echo "` + tt.says + `"; exit; fi; echo "$*" >` + said + `; cat >/dev/null`})}
		tt.file.Format = "avif"
		if _, _, err := s.Encode(t.Context(), scene(20, 10, false), tt.file); err == nil || !strings.Contains(err.Error(), "avifenc wrote no ") {
			t.Errorf("%s: %v", tt.says, err)
		}
		got, err := os.ReadFile(said)
		if want := pixels + tt.want + input; err != nil || !strings.HasPrefix(string(got), want+" ") {
			t.Errorf("%s, %+v: %v\n%sinstead of\n%s", tt.says, tt.file, err, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	trap := "echo started > $0.started" // nothing is started to find out
	getenv := fake(t, map[string]string{"vips": trap, "apk": trap, "avifenc": trap})
	getenv = func(of func(string) string) func(string) string {
		dir := filepath.SplitList(of("PATH"))[0]
		return func(string) string { return dir }
	}(getenv)
	s := &Set{Getenv: getenv}
	for _, tt := range []struct {
		file File
		want string
	}{
		{File{Format: "png"}, "imgbuild/png 1"}, {File{Format: "webp", Lossless: true}, "imgbuild/webp 1"},
		{File{Format: "webp"}, "vips"}, {File{Format: "avif"}, "avifenc"}, {File{Format: "avif", Lossless: true}, "avifenc"},
	} {
		if got := s.Find(tt.file); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.file, got, tt.want)
		}
	}
	none := &Set{Getenv: func(string) string { return "relative:" }}
	for _, f := range []File{{Format: "webp"}, {Format: "avif"}, {Format: "avif", Lossless: true}} {
		if got := none.Find(f); got != "" {
			t.Errorf("finds %q", got)
		}
		text, _ := none.Missing(f)
		if _, _, err := none.Encode(t.Context(), scene(2, 2, false), f); err == nil || err.Error() != "encoder: "+text {
			t.Error(err)
		}
	}
	if text, _ := none.Missing(File{Format: "webp"}); text != "a WebP that is not lossless needs cwebp or vips, and neither is on the PATH" {
		t.Error(text)
	}
	if text, _ := none.Missing(File{Format: "avif", Lossless: true}); text != "a lossless AVIF needs avifenc, which is not on the PATH" {
		t.Error(text)
	}
	started, err := filepath.Glob(filepath.Join(getenv("PATH"), "*.started"))
	if err != nil || len(started) > 0 {
		t.Error(started, err)
	}
}

func TestInstall(t *testing.T) {
	t.Parallel()
	if got := (&Set{Getenv: fake(t, map[string]string{"apk": "exit 1"})}).Install("avifenc"); strings.HasPrefix(got, "install") || !strings.Contains(got, "libavif") {
		t.Error(got)
	}
	for _, p := range packages {
		for _, program := range []string{"cwebp", "avifenc"} {
			if p.names[program] == "" || p.install == "" {
				t.Errorf("%s has no package for %s", p.manager, program)
			}
		}
	}
}
