package emulator

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
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

// made is what came of a request.
type made struct {
	id      string // of the job, if it is deferred
	created int64
	model   string
	images  []drawn
	failure *failure // of the job, instead of images
	billed  int      // images
	ticks   int64    // 0 if not billed
}

// billed is the usage of a refusal, nil if it was free.
func billed(ticks int64) *usage {
	if ticks == 0 {
		return nil
	}
	return &usage{ticks}
}

// drawn is one image of a reply; without name and bytes it was withheld.
type drawn struct {
	name              string // behind /images/
	bytes             []byte // instead of name
	mime, revised     string
	respectModeration bool
}

// carryOut makes n images of o.
func (s *Server) carryOut(c *call, w *wire, o *order, n int) (*made, error) {
	m := &made{created: s.cfg.Now().Unix(), model: cmp.Or(o.model.servedBy, o.model.name), billed: n, ticks: c.Ticks}
	key, roll := s.roll(c.Path, w)
	if o.deferred {
		m.id, m.failure = jobID(key, roll), c.do.failure()
		if m.failure != nil || c.do.Job == "expired" {
			return m, nil
		}
	}
	if c.do.Moderated == "empty" {
		n = 0
	}
	for i := range n {
		if c.do.Moderated == "flag" {
			m.images = append(m.images, drawn{})
			continue
		}
		seed := seedOf(key, roll, i)
		p := s.picture(o, seed, c.do)
		d := drawn{mime: p.mime, revised: revised(o.prompt), respectModeration: c.do.Moderated == ""}
		var err error
		if o.format == "url" {
			d.name = fmt.Sprintf("%016x.%s", seed, strings.TrimPrefix(p.mime, "image/"))
			err = s.keep(d.name, p, len(o.inputs) > 0)
		} else {
			d.bytes, err = p.draw()
		}
		if err != nil {
			return nil, err
		}
		m.images = append(m.images, d)
	}
	return m, nil
}

// url is where an image lies, on the host that the client used.
func (d *drawn) url(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s/images/%s", scheme, r.Host, d.name)
}

// datum is one image of a REST reply.
type datum struct {
	URL               string `json:"url,omitempty"`
	B64               string `json:"b64_json,omitempty"`
	RevisedPrompt     string `json:"revised_prompt,omitempty"`
	MIME              string `json:"mime_type,omitempty"`
	RespectModeration bool   `json:"respect_moderation"`
}

// images is what a REST reply tells of m.
type images struct {
	Created int64   `json:"created,omitempty"`
	Data    []datum `json:"data,omitzero"`
	Model   string  `json:"model,omitempty"`
	Usage   *usage  `json:"usage,omitempty"`
}

// rest is the reply to r over REST.
func (m *made) rest(r *http.Request) *images {
	if m.failure != nil {
		return &images{Usage: billed(m.ticks)}
	}
	data := []datum{}
	for _, d := range m.images {
		one := datum{B64: base64.StdEncoding.EncodeToString(d.bytes), RevisedPrompt: d.revised, MIME: d.mime, RespectModeration: d.respectModeration}
		if d.name != "" {
			one.URL = d.url(r)
		}
		data = append(data, one)
	}
	return &images{m.created, data, m.model, &usage{m.ticks}}
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
	width, height := o.width, o.height
	if do.WrongSize {
		width, height = max(width/2, 1), max(height/2, 1)
	}
	draw := func() ([]byte, error) {
		s.pens <- struct{}{}
		defer func() { <-s.pens }()
		if do.HTML {
			return []byte(page), nil
		}
		var b bytes.Buffer
		p := imaging.New(width, height)
		switch {
		case do.Moderated != "":
		case s.cfg.Album != nil && s.cfg.Album.Flat:
			fill(p, seed)
		default:
			d := paint.Order{Prompt: o.prompt, Style: o.style, Width: width, Height: height, Seed: seed, Mask: o.mask}
			if len(o.inputs) > 0 {
				d.Base, d.More = o.inputs[0], o.inputs[1:]
			}
			p = paint.Draw(d)
			if o.background == "transparent" {
				hole(p)
			}
		}
		if _, err := p.Encode(&b, o.encoding, max(o.compression, 1), false); err != nil {
			return nil, err
		}
		if do.Corrupt {
			for i, c := range b.Bytes()[b.Len()/2:] {
				b.Bytes()[b.Len()/2+i] = c ^ 0x55
			}
		}
		return b.Bytes(), nil
	}
	if s.cfg.Album != nil {
		draw = s.cfg.Album.once(fmt.Sprint(width, height, o.encoding, o.compression, seed, do.HTML, do.Corrupt, do.Moderated), draw)
	}
	born := s.cfg.Now()
	if o.deferred {
		born = born.Add(time.Duration(do.ReadyAfter))
	}
	return &picturefile{draw: draw, mime: "image/" + o.encoding, prompt: o.prompt, made: born, fault: do}
}

// once is draw of a picture that may be there. The seed in its name is of all that
// was asked for.
func (a *Album) once(name string, draw func() ([]byte, error)) func() ([]byte, error) {
	return func() ([]byte, error) {
		if b, ok := a.made.Load(name); ok {
			return b.([]byte), nil
		}
		b, err := draw()
		if err == nil {
			a.made.Store(name, b)
		}
		return b, err
	}
}

// fill paints over everything with a colour.
func fill(p *imaging.Picture, colour uint64) {
	pix := p.Pix()
	for i := 0; i < len(pix); i += 4 {
		pix[i], pix[i+1], pix[i+2], pix[i+3] = byte(colour), byte(colour>>8), byte(colour>>16), 0xff
	}
}

// keep puts a picture behind a URL. What is drawn from other pictures is drawn
// at once, so that those need not be kept; the oldest go when it is too much.
func (s *Server) keep(name string, p *picturefile, drawn bool) error {
	size := 1<<10 + len(p.prompt)
	if drawn {
		b, err := p.draw()
		if err != nil {
			return err
		}
		size += len(b)
		p.draw = func() ([]byte, error) { return b, nil }
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.images.put(name, p, size)
	return nil
}

// picturefile is a picture behind a URL. It is drawn when it is asked for.
type picturefile struct {
	draw   func() ([]byte, error)
	mime   string
	prompt string
	made   time.Time
	fault  Do
}
