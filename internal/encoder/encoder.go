// Package encoder writes pictures. PNG, JPEG and lossless WebP are written in
// process; a WebP that is not lossless by cwebp or vips, an AVIF by avifenc or
// vips, found on the PATH.
//
// It promises that what it returns is a picture of the size that was given:
// what a program writes is decoded (WebP) or measured (AVIF), and a program
// that fails, hangs, is killed or writes anything else is an error with its
// last words. Pixels go by pipe. To find out which program there is starts
// none; only Encode does, and it asks each once for its version.
//
// It is called by apply, and by cli for what plan needs to know. It refuses to
// know recipes and where files go, and does not bound how many programs run at
// once: that is for the caller.
package encoder

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/tool"
)

// Set is the encoders that an environment has.
type Set struct {
	Getenv func(string) string
	Limits imaging.Limits // of what is written; zero for the default ones

	mu       sync.Mutex
	found    map[string]bool          // by program
	versions map[string]func() string // by program
}

// File says how a picture is written.
type File struct {
	Format   string // "png", "jpeg", "webp" or "avif"
	Quality  int    // 1 to 100; 0 for what is normal for the format
	Lossless bool
}

// External reports whether a program is needed.
func (f File) External() bool { return f.Format == "avif" || f.Format == "webp" && !f.Lossless }

// programs that can write f, the best first.
func (f File) programs() []string {
	switch {
	case f.Format == "webp":
		return []string{"cwebp", "vips"}
	case f.Lossless: // vips loses a little by its colours
		return []string{"avifenc"}
	}
	return []string{"avifenc", "vips"}
}

// Normal qualities where none is asked.
const (
	normalWebP = 80
	normalAVIF = 50
)

// Bounds of a program.
const (
	minTime    = time.Minute      // for one that is small, on a busy machine
	maxTime    = 10 * time.Minute // 64 megapixels of AVIF take as long
	maxVersion = 10 * time.Second
)

// Find is the name of what would write f, without its version if it is a
// program, and "" if there is none.
func (s *Set) Find(f File) string {
	if !f.External() {
		return imaging.Encoder(f.Format)
	}
	for _, p := range f.programs() {
		if s.has(p) {
			return p
		}
	}
	return ""
}

func (s *Set) has(program string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	there, known := s.found[program]
	if !known {
		_, err := tool.Find(s.Getenv, program)
		if there = err == nil; s.found == nil {
			s.found = map[string]bool{}
		}
		s.found[program] = there
	}
	return there
}

// packages that bring a program, by the package manager.
var packages = []struct {
	system, manager, install string // system is a GOOS; "" for any
	names                    map[string]string
}{
	{"darwin", "brew", "brew install", map[string]string{"cwebp": "webp", "avifenc": "libavif"}},
	{"windows", "choco", "choco install", map[string]string{"cwebp": "webp", "avifenc": "libavif"}},
	{"", "apt-get", "sudo apt install", map[string]string{"cwebp": "webp", "avifenc": "libavif-bin"}},
	{"", "dnf", "sudo dnf install", map[string]string{"cwebp": "libwebp-tools", "avifenc": "libavif-tools"}},
	{"", "apk", "sudo apk add", map[string]string{"cwebp": "libwebp-tools", "avifenc": "libavif-apps"}},
	{"", "pacman", "sudo pacman -S", map[string]string{"cwebp": "libwebp", "avifenc": "libavif"}},
	{"", "brew", "brew install", map[string]string{"cwebp": "webp", "avifenc": "libavif"}},
}

// Missing says what is needed for f where Find finds nothing, and how to get it
// here.
func (s *Set) Missing(f File) (text, hint string) {
	want := f.programs()
	kind := map[string]string{"webp": "a WebP that is not lossless", "avif": "an AVIF"}[f.Format]
	if f.Lossless {
		kind = "a lossless AVIF"
	}
	text = fmt.Sprintf("%s needs %s, which is not on the PATH", kind, strings.Join(want, " or "))
	if len(want) > 1 {
		text = fmt.Sprintf("%s needs %s, and neither is on the PATH", kind, strings.Join(want, " or "))
	}
	return text, s.Install(want[0])
}

// Install is how to get a program here: a command, by the package manager that
// is there.
func (s *Set) Install(program string) string {
	for _, p := range packages {
		if p.system == runtime.GOOS || p.system == "" && s.has(p.manager) {
			return p.install + " " + p.names[program]
		}
	}
	return "install " + program
}

// Encode writes p and tells by what, with the version, for the record.
func (s *Set) Encode(ctx context.Context, p *imaging.Picture, f File) (b []byte, by string, err error) {
	if !f.External() {
		var out bytes.Buffer
		by, err = p.Encode(&out, f.Format, f.Quality, f.Lossless)
		return out.Bytes(), by, err
	}
	program := s.Find(f)
	if program == "" {
		text, _ := s.Missing(f)
		return nil, "", fmt.Errorf("encoder: %s", text)
	}
	version := s.version(program)
	call := callFor(program, version, p, f)
	call.Time, call.Output = timeFor(p.Width()*p.Height()), int(s.limits().Bytes)
	if b, err = call.Run(ctx, s.Getenv); err != nil {
		return nil, "", err
	}
	if err := s.check(b, p, f.Format); err != nil {
		return nil, "", fmt.Errorf("%s wrote no %s: %s", program, f.Format, strings.TrimPrefix(err.Error(), "imaging: "))
	}
	return b, strings.TrimSpace(program + " " + version), nil
}

// timeFor is how long a program may take for so many pixels: it hangs if it
// takes longer.
func timeFor(pixels int) time.Duration {
	return minTime + time.Duration(float64(maxTime-minTime)*float64(pixels)/float64(imaging.DefaultLimits.Pixels))
}

func (s *Set) limits() imaging.Limits {
	if s.Limits == (imaging.Limits{}) {
		return imaging.DefaultLimits
	}
	return s.Limits
}

// check makes sure that b is the picture that was asked for, as far as that can
// be seen.
func (s *Set) check(b []byte, p *imaging.Picture, format string) error {
	info, err := imaging.MeasureAVIF(b, s.limits())
	if format == "webp" {
		_, info, err = imaging.Decode(b, s.limits())
	}
	switch {
	case err != nil:
		return err
	case info.Format != format:
		return fmt.Errorf("it is a %s", info.Format)
	case info.Width != p.Width() || info.Height != p.Height():
		return fmt.Errorf("it is %dx%d instead of %dx%d", info.Width, info.Height, p.Width(), p.Height())
	}
	return nil
}

// result stands for the file in the arguments of avifenc, which prints how far
// it is.
const result = "{result}"

func callFor(program, version string, p *imaging.Picture, f File) tool.Call {
	quality := f.Quality
	if quality == 0 {
		quality = map[string]int{"webp": normalWebP, "avif": normalAVIF}[f.Format]
	}
	q := strconv.Itoa(quality)
	switch program {
	case "cwebp":
		return tool.Call{Command: []string{"cwebp", "-quiet", "-q", q, "-o", "-", "--", "-"}, Input: p.WritePNM}
	case "vips":
		suffix := ".webp[Q=" + q + ",strip]"
		if f.Format == "avif" {
			suffix = ".avif[Q=" + q + ",effort=3,strip]" // as fast as avifenc at speed 6
		}
		return tool.Call{Command: []string{"vips", "copy", "stdin", suffix}, Env: []string{"VIPS_CONCURRENCY=1"}, Input: func(w io.Writer) error {
			if p.Opaque() {
				return p.WritePNM(w)
			}
			_, err := p.Encode(w, "png", 0, true) // it knows no PAM
			return err
		}}
	}
	// The pixels are those of JPEG: sRGB, Rec. 601, the full range. What is
	// lossless are the colours themselves.
	colours := "1/13/6"
	if f.Lossless {
		colours, q = "1/13/0", "100"
	}
	args := []string{"avifenc", "-j", "1", "-s", "6", "-r", "full", "--cicp", colours}
	switch {
	case !strings.HasPrefix(version, "0."):
		args = append(args, "-q", q, "--qalpha", "100")
	case f.Lossless: // quantizers of 63, of which 0 is the finest; 1.2 calls them deprecated
		args = append(args, "--min", "0", "--max", "0", "--minalpha", "0", "--maxalpha", "0")
	default:
		args = append(args, "--min", "0", "--max", "63", "--minalpha", "0", "--maxalpha", "0", "-a", "end-usage=q", "-a", "color:cq-level="+strconv.Itoa(((100-quality)*63+50)/100))
	}
	// Options behind an input may be meant for the next: 1.4 warns of that.
	return tool.Call{Command: append(args, "--stdin", "-o", result), Result: result, Input: func(w io.Writer) error { return p.WriteY4M(w, f.Lossless) }}
}

var number = regexp.MustCompile(`\d+(\.\d+)+`)

// version is what a program says of itself, asked once; "" if it does not.
func (s *Set) version(program string) string {
	s.mu.Lock()
	ask := s.versions[program]
	if ask == nil {
		ask = sync.OnceValue(func() string {
			flag := "--version"
			if program == "cwebp" {
				flag = "-version"
			}
			call := tool.Call{Command: []string{program, flag}, Time: maxVersion, Output: 64 << 10}
			b, err := call.Run(context.Background(), s.Getenv)
			if err != nil {
				return ""
			}
			return number.FindString(string(b))
		})
		if s.versions == nil {
			s.versions = map[string]func() string{}
		}
		s.versions[program] = ask
	}
	s.mu.Unlock()
	return ask()
}
