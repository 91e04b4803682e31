package apply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/encoder"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// box is one of ISO/IEC 14496-12.
func box(kind, body string) string {
	return string([]byte{0, 0, 0, byte(len(body) + 8)}) + kind + body
}

// avifenc is a PATH with a program of that name, which writes an AVIF of so many
// pixels.
func avifenc(t *testing.T, width, height byte) *encoder.Set {
	t.Helper()
	b := box("ftyp", "avif") + box("meta", "\x00\x00\x00\x00"+box("iprp", box("ipco", box("ispe", string([]byte{0, 0, 0, 0, 0, 0, 0, width, 0, 0, 0, height}))))) + box("mdat", "x")
	return program(t, "avifenc", b, ` > "$last"`)
}

// program is a PATH with a program that writes b into what it is told to, or
// prints it.
func program(t *testing.T, name, b, into string) *encoder.Set {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\nfor last; do :; done\n/bin/cat > /dev/null\n/bin/cat " + filepath.Join(dir, "picture") + into + "\n"
	for file, text := range map[string]string{"picture": b, name: script} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &encoder.Set{Getenv: func(string) string { return dir }}
}

// Of an AVIF what its boxes say is judged; its pixels can't be.
func TestJudgeAVIF(t *testing.T) {
	t.Parallel()
	a := img("a")
	a.Path = "a.avif"
	s := newSite(t, a)
	pixels := false
	s.change = func(e *Engine) {
		e.Encoders = avifenc(t, 1, 1)
		e.Judge = func(_ spec.Address, p *Picture) (string, error) {
			if p.MIME != "image/avif" || p.Width != 1 || p.Bytes == 0 {
				t.Errorf("%s of %d pixels in %d bytes", p.MIME, p.Width, p.Bytes)
			}
			if !pixels {
				return "", nil
			}
			_, _, err := p.Pixels()
			return "", err
		}
	}
	same(t, "ends", kinds(s.run()), "done image.a")
	s.images[0].File.Quality = 3
	pixels = true
	res := s.run()
	same(t, "with pixels", kinds(res), "failed image.a")
	if o := res.Outcomes[0]; o.Text != "the pixels of an AVIF can't be looked at" || !strings.Contains(o.Hint, "PNG") {
		t.Errorf("%+v", o)
	}
}

// A program that writes a picture of another size is not believed.
func TestWrongAVIF(t *testing.T) {
	t.Parallel()
	a := img("a")
	a.Path = "a.avif"
	s := newSite(t, a)
	s.change = func(e *Engine) { e.Encoders = avifenc(t, 2, 1) }
	res := s.run()
	same(t, "ends", kinds(res), "failed image.a")
	if text := res.Outcomes[0].Text; text != "a.avif: avifenc wrote no avif: it is 2x1 instead of 1x1" {
		t.Error(text)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "a.avif")); err == nil {
		t.Error("it is written all the same")
	}
}
