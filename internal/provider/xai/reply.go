package xai

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/imgbuild/imgbuild/internal/provider"
)

const (
	maxReply = 4 << 20 // of JSON, without inline pictures
	maxCount = 30      // pictures in a reply, three times what may be asked for
	maxDepth = 1000    // open brackets

	maxPrice = 10_000 * provider.Dollar // of a call; beyond it is no price
)

// wireImage is an element of data. Only url or b64_json is needed.
type wireImage struct {
	URL               string `json:"url"`
	MIME              string `json:"mime_type"`
	RevisedPrompt     string `json:"revised_prompt"`
	Model             string `json:"model"`
	RespectModeration *bool  `json:"respect_moderation"`
}

// wireUsage is in replies and in errors alike.
type wireUsage struct {
	Ticks json.Number `json:"cost_in_usd_ticks"`
}

// money is what the provider says that the call cost.
func (u *wireUsage) money() (provider.Money, bool) {
	if u == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(u.Ticks.String(), 10, 64)
	if err != nil || n < 0 || n > int64(maxPrice) {
		return 0, false
	}
	return provider.Money(n), true
}

// lax decodes what it can: a field of the wrong type counts as absent.
func lax(b []byte, v any) error {
	err := json.Unmarshal(b, v)
	if t := (*json.UnmarshalTypeError)(nil); errors.As(err, &t) {
		return nil
	}
	return err
}

// answer is a reply that was read, over whichever transport.
type answer struct {
	status    int    // of HTTP, or what stands for it
	requestID string // the provider's
	images    []gotImage
	none      bool // there is data, and it holds no image
	model     string
	usage     *wireUsage
	jobID     string // instead of images
	jobStatus string
	body      []byte // without inline pictures
	err       error  // the reply broke off, or is no reply
}

// readers are large for the sake of inline pictures. Most replies have none.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}

// read reads a 2xx answer. Inline pictures go to the spools of the sink, whose
// error is returned.
func (m *maker) read(resp *http.Response, n int, s provider.Sink) (*answer, error) {
	limit := maxReply + int64(n)*m.maxImage/3*4
	in := readers.Get().(*bufio.Reader)
	in.Reset(io.LimitReader(resp.Body, limit+1))
	defer func() {
		in.Reset(nil)
		readers.Put(in)
	}()
	h := &hollow{in: in, sink: s, maxImage: m.maxImage}
	a := &answer{status: resp.StatusCode, requestID: m.clip(resp.Header.Get("X-Request-Id")), err: h.read()}
	if h.sinkErr != nil {
		return nil, fmt.Errorf("xai: %w", h.sinkErr)
	}
	var top struct {
		Data      json.RawMessage `json:"data"`
		Model     string          `json:"model"`
		Usage     *wireUsage      `json:"usage"`
		RequestID string          `json:"request_id"`
		Status    string          `json:"status"`
	}
	if a.err == nil {
		a.err = lax(h.out.Bytes(), &top)
	}
	var data []json.RawMessage
	a.none = len(h.images) == 0 && json.Unmarshal(top.Data, &data) == nil && data != nil && len(data) == 0
	a.images, a.body = h.images, h.out.Bytes()
	a.model, a.usage, a.jobID, a.jobStatus = top.Model, top.Usage, top.RequestID, strings.ToLower(top.Status)
	return a, nil
}

// deliver tells the sink of the images of a.
func (m *maker) deliver(a *answer, r *provider.Request, o *provider.Offer, s provider.Sink) (provider.Reply, error) {
	each, known := o.Price(r)
	total, priced := a.usage.money()
	if !priced && known {
		total = each * provider.Money(len(a.images))
		if a.none {
			total = each * provider.Money(r.N)
		}
	}
	reply := provider.Reply{Model: a.model, Price: total, Priced: priced}
	for i := range a.images {
		if im := &a.images[i]; im.bad == "" && !im.spooled && m.repeats(im.URL) {
			im.bad, im.URL = "its URL repeats the key, and must not be written down", ""
		}
	}
	if e := m.useless(a); e != nil {
		if e.Kind != provider.InDoubt {
			e.Price, e.Priced = total, priced
		}
		return reply, e
	}

	var lost provider.Money
	for i, im := range a.images {
		price := total / provider.Money(len(a.images))
		if i == 0 {
			price += total % provider.Money(len(a.images))
		}
		if im.bad != "" && !im.moderated() {
			lost += price
			continue
		}
		d := provider.Delivery{
			URL: im.URL, MIME: im.MIME, Model: cmp.Or(im.Model, a.model), RevisedPrompt: im.RevisedPrompt, Moderated: im.moderated(),
		}
		if im.spooled {
			d.URL = ""
		}
		if err := s.Delivered(i, d, price); err != nil {
			return reply, fmt.Errorf("xai: %w", err)
		}
		reply.Model = cmp.Or(reply.Model, im.Model)
	}
	switch bad := a.firstBad(); {
	case a.err != nil:
		return reply, m.because(a, provider.InDoubt, "the reply broke off or is not JSON: "+a.err.Error())
	case bad != "":
		e := m.because(a, provider.Unusable, bad)
		e.Price, e.Priced = lost, priced
		return reply, e
	}
	return reply, nil
}

// useless is why nothing of a complete reply can be used; nil if something can,
// or the reply is not complete.
func (m *maker) useless(a *answer) *provider.Error {
	if a.err != nil || slices.ContainsFunc(a.images, func(im gotImage) bool { return im.bad == "" && !im.moderated() }) {
		return nil
	}
	switch bad := a.firstBad(); {
	case bad != "":
		return m.because(a, provider.Unusable, "no image of the reply can be used: "+bad)
	case len(a.images) > 0:
		return m.because(a, provider.Moderated, "all images were refused by moderation")
	case a.none:
		return m.because(a, provider.Moderated, "the reply holds no image: all were refused by moderation")
	}
	e := m.explain(a.status, nil, a.body)
	e.RequestID = a.requestID
	if e.Kind != provider.Moderated {
		e.Kind = provider.InDoubt
		e.Message = cmp.Or(e.Message, "a success without data")
	}
	return e
}

// firstBad says which image can't be used, and why, moderation aside; "" if all
// can.
func (a *answer) firstBad() string {
	for i := range a.images {
		if im := &a.images[i]; im.bad != "" && !im.moderated() {
			return fmt.Sprintf("image %d: %s", i+1, im.bad)
		}
	}
	return ""
}

func (m *maker) because(a *answer, k provider.Kind, text string) *provider.Error {
	return &provider.Error{Kind: k, Status: a.status, Message: m.clip(text), RequestID: a.requestID}
}

// hollow reads a reply and keeps all of it but the inline pictures, which it
// decodes and spools as they arrive: a reply of ten pictures takes no more
// memory than its captions.
type hollow struct {
	in      *bufio.Reader
	out     bytes.Buffer // the JSON with every data[i].b64_json emptied
	sink    provider.Sink
	sinkErr error

	maxImage int64
	images   []gotImage // elements of data that are complete

	stack   []byte   // open '{' and '['
	keys    []string // last key at each depth
	keyNext bool     // whether a string that comes is a key
	start   int      // of the current element of data in out
	current gotImage
}

type gotImage struct {
	wireImage
	spooled bool
	bad     string // why it can't be used
}

func (im *gotImage) moderated() bool {
	return im.RespectModeration != nil && !*im.RespectModeration
}

var (
	errTooLong = errors.New("the reply is too long")
	errNotJSON = errors.New("not a JSON object")
)

// read ends after the outermost object.
func (h *hollow) read() error {
	if b, _ := h.in.Peek(3); string(b) == "\ufeff" {
		h.in.Discard(3)
	}
	for {
		c, err := h.in.ReadByte()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if h.out.Len() >= maxReply {
			return errTooLong
		}
		if c != '"' {
			h.out.WriteByte(c)
		}
		switch c {
		case '{', '[':
			if h.inData("{[") {
				h.start, h.current = h.out.Len()-1, gotImage{}
			}
			if len(h.stack) == maxDepth || len(h.images) == maxCount {
				return errTooLong
			}
			h.stack = append(h.stack, c)
			h.keys = append(h.keys, "")
			h.keyNext = c == '{'
		case '}', ']':
			if len(h.stack) == 0 || h.stack[len(h.stack)-1] != c-2 { // '{'+2 == '}', '['+2 == ']'
				return errNotJSON
			}
			h.stack = h.stack[:len(h.stack)-1]
			h.keys = h.keys[:len(h.keys)-1]
			h.keyNext = false
			if c == '}' && h.inData("{[") {
				if err := h.element(); err != nil {
					return err
				}
			}
			if len(h.stack) == 0 {
				return nil
			}
		case ',':
			h.keyNext = len(h.stack) > 0 && h.stack[len(h.stack)-1] == '{'
		case ':':
			h.keyNext = false
		case '"':
			if err := h.str(); err != nil {
				return err
			}
		default:
			if len(h.stack) == 0 && c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				return errNotJSON
			}
		}
	}
}

// inData reports whether the open brackets are those of data (`{[`) or of one
// of its elements (`{[{`).
func (h *hollow) inData(stack string) bool { return string(h.stack) == stack && h.keys[0] == "data" }

// str reads the rest of a string. Keys and plain values go to out.
func (h *hollow) str() error {
	if len(h.stack) == 0 {
		return errNotJSON
	}
	if !h.keyNext && h.inData("{[{") && h.keys[2] == "b64_json" {
		return h.picture()
	}
	from := h.out.Len()
	h.out.WriteByte('"')
	for escaped := false; ; {
		c, err := h.in.ReadByte()
		if err != nil {
			return cmp.Or(eofIsCut(err), err)
		}
		if h.out.Len() >= maxReply {
			return errTooLong
		}
		h.out.WriteByte(c)
		if c == '"' && !escaped {
			break
		}
		escaped = c == '\\' && !escaped
	}
	if h.keyNext {
		var key string
		if err := json.Unmarshal(h.out.Bytes()[from:], &key); err != nil {
			return err
		}
		h.keys[len(h.keys)-1] = key
	}
	return nil
}

func eofIsCut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// element ends one element of data.
func (h *hollow) element() error {
	im := h.current
	if err := lax(h.out.Bytes()[h.start:], &im.wireImage); err != nil {
		return err
	}
	if im.bad == "" && !im.spooled && im.URL == "" {
		im.bad = "neither a URL nor bytes"
	}
	h.images = append(h.images, im)
	return nil
}

// picture decodes the rest of a base64 string into the spool of the element
// that is being read.
func (h *hollow) picture() error {
	h.out.WriteString(`""`)
	d := unbase64{max: h.maxImage, open: func() (io.WriteCloser, error) { return h.sink.Spool(len(h.images)) }}
	again := h.current.spooled
	if err := h.base64(&d); err != nil {
		d.close()
		return eofIsCut(err)
	}
	d.flush()
	h.sinkErr = d.close()
	h.current.spooled = d.size > 0
	h.current.bad = d.bad
	if again {
		h.current.bad = "two b64_json in one image"
	}
	return h.sinkErr
}

// base64 gives the rest of a string to d.
func (h *hollow) base64(d *unbase64) error {
	for {
		plain, err := h.plain()
		if err != nil {
			return err
		}
		if len(plain) > 0 {
			d.write(plain)
			continue
		}
		c, err := h.in.ReadByte()
		if err == nil && c == '"' {
			return nil
		}
		if err == nil {
			c, err = h.escape()
		}
		if err != nil {
			return err
		}
		d.write([]byte{c})
	}
}

// plain takes what is buffered of a string before its end or an escape, which
// comes next if the result is empty.
func (h *hollow) plain() ([]byte, error) {
	if _, err := h.in.Peek(1); err != nil {
		return nil, err
	}
	b, _ := h.in.Peek(h.in.Buffered())
	if i := bytes.IndexByte(b, '"'); i >= 0 {
		b = b[:i]
	}
	if i := bytes.IndexByte(b, '\\'); i >= 0 {
		b = b[:i]
	}
	_, err := h.in.Discard(len(b)) // of what is buffered: b stays valid until the next read
	return b, err
}

// escape reads what follows a backslash; only characters of base64 matter.
func (h *hollow) escape() (byte, error) {
	c, err := h.in.ReadByte()
	switch {
	case err != nil:
		return 0, err
	case c == 'n' || c == 'r':
		return '\n', nil
	case c != 'u':
		return c, nil
	}
	var hexa [4]byte
	if _, err := io.ReadFull(h.in, hexa[:]); err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(hexa[:]), 16, 16)
	if err != nil || n > 0x7f {
		return 0x7f, nil // not base64, which put will say
	}
	return byte(n), nil
}
