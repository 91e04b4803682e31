package emulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/paint"
)

type usage struct {
	Ticks int64 `json:"cost_in_usd_ticks"`
}

// datum is one image of a reply.
type datum struct {
	URL               *string `json:"url,omitempty"`
	B64               *string `json:"b64_json,omitempty"`
	RevisedPrompt     string  `json:"revised_prompt,omitempty"`
	MIME              string  `json:"mime_type,omitempty"`
	RespectModeration bool    `json:"respect_moderation"`
}

// reply makes the images of o and the body that tells of them.
func (s *Server) reply(r *http.Request, w *wire, o *order, n int, ticks int64, do Do) ([]byte, error) {
	data := []datum{}
	key, roll := s.roll(r.URL.Path, w)
	if do.Moderated == "empty" {
		n = 0
	}
	for i := range n {
		d := datum{RevisedPrompt: revised(o.prompt), RespectModeration: do.Moderated == ""}
		if do.Moderated == "flag" {
			data = append(data, datum{})
			continue
		}
		seed := seedOf(key, roll, i)
		p := s.picture(o, seed, do)
		d.MIME = p.mime
		if o.format == "url" {
			name := fmt.Sprintf("%016x.%s", seed, strings.TrimPrefix(p.mime, "image/"))
			if err := s.keep(name, p, len(o.inputs) > 0); err != nil {
				return nil, err
			}
			scheme := "http"
			if r.TLS != nil {
				scheme = "https"
			}
			url := fmt.Sprintf("%s://%s/images/%s", scheme, r.Host, name)
			d.URL = &url
		} else {
			b, err := p.draw()
			if err != nil {
				return nil, err
			}
			text := base64.StdEncoding.EncodeToString(b)
			d.B64 = &text
		}
		data = append(data, d)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		Created int64   `json:"created"`
		Data    []datum `json:"data"`
		Model   string  `json:"model"`
		Usage   usage   `json:"usage"`
	}{s.cfg.Now().Unix(), data, o.model.name, usage{ticks}})
	return b.Bytes(), err
}

// revised is the prompt with a little more to it, as in the page's example.
func revised(prompt string) string {
	for _, article := range []string{"A ", "An ", "a ", "an "} {
		prompt = strings.TrimPrefix(prompt, article)
	}
	return "A detailed " + prompt
}

// roll names a request and counts how often an equal one came.
func (s *Server) roll(path string, w *wire) (key [32]byte, n int) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q\n", path, w.fields) // fmt sorts the keys of maps
	for _, b := range append(slices.Clone(w.images), w.mask) {
		fmt.Fprintf(h, "%x\n", sha256.Sum256(b))
	}
	h.Sum(key[:0])
	s.mu.Lock()
	defer s.mu.Unlock()
	n = s.rolls[key]
	s.rolls[key]++
	return key, n
}

func seedOf(key [32]byte, roll, i int) uint64 {
	sum := sha256.Sum256(fmt.Appendf(key[:], " %d %d", roll, i))
	return binary.BigEndian.Uint64(sum[:])
}

// picture is what o looks like with a seed, fault included.
func (s *Server) picture(o *order, seed uint64, do Do) *picturefile {
	format := "png"
	if s.cfg.Profile == "current" {
		format = "jpeg"
	}
	width, height := o.width, o.height
	if do.WrongSize {
		width, height = max(width/2, 1), max(height/2, 1)
	}
	draw := func() ([]byte, error) {
		s.pens <- struct{}{}
		defer func() { <-s.pens }()
		var b bytes.Buffer
		p := imaging.New(width, height)
		if do.Moderated == "" {
			d := paint.Order{Prompt: o.prompt, Style: o.style, Width: width, Height: height, Seed: seed, Mask: o.mask}
			if len(o.inputs) > 0 {
				d.Base, d.More = o.inputs[0], o.inputs[1:]
			}
			p = paint.Draw(d)
		}
		if _, err := p.Encode(&b, format, 90, false); err != nil {
			return nil, err
		}
		if do.Corrupt {
			for i, c := range b.Bytes()[b.Len()/2:] {
				b.Bytes()[b.Len()/2+i] = c ^ 0x55
			}
		}
		return b.Bytes(), nil
	}
	return &picturefile{draw: draw, mime: "image/" + format, made: s.cfg.Now(), fault: do}
}

// keep puts a picture behind a URL. What is drawn from other pictures is drawn
// at once, so that those need not be kept; the oldest go when it is too much.
func (s *Server) keep(name string, p *picturefile, drawn bool) error {
	p.bytes = 1 << 10
	if drawn {
		b, err := p.draw()
		if err != nil {
			return err
		}
		p.bytes += len(b)
		p.draw = func() ([]byte, error) { return b, nil }
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.images[name] = p
	s.oldest = append(s.oldest, name)
	s.bytes += p.bytes
	for s.bytes > s.most {
		s.bytes -= s.images[s.oldest[0]].bytes
		delete(s.images, s.oldest[0])
		s.oldest = s.oldest[1:]
	}
	return nil
}

// picturefile is a picture behind a URL. It is drawn when it is asked for.
type picturefile struct {
	draw  func() ([]byte, error)
	mime  string
	made  time.Time
	fault Do
	bytes int
}
