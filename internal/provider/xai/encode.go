package xai

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strconv"

	"github.com/imgbuild/imgbuild/internal/provider"
)

// maxInput is what the service takes for one picture (20 MiB).
const maxInput = 20 << 20

// fields of a JSON body, in the order of the page. A field that the wire does
// not know is never set by Resolve, and encode refuses it.
type fields struct {
	Model          string   `json:"model"`
	Prompt         string   `json:"prompt"`
	N              int      `json:"n"`
	Size           string   `json:"size,omitempty"`
	AspectRatio    string   `json:"aspect_ratio,omitempty"`
	Resolution     string   `json:"resolution,omitempty"`
	Quality        string   `json:"quality,omitempty"`
	ResponseFormat string   `json:"response_format"`
	Style          string   `json:"style,omitempty"`
	User           string   `json:"user,omitempty"`
	Deferred       bool     `json:"deferred,omitempty"`
	Image          *source  `json:"image,omitempty"`
	Images         []source `json:"images,omitempty"`
}

type source struct {
	URL string `json:"url"`
}

// check takes a last look that nothing in r is beyond the offer: what would be
// dropped or refused must not be sent.
func (m *maker) check(r *provider.Request, o *provider.Offer) error {
	beyond := func(format string, args ...any) error {
		return &provider.Error{Kind: provider.Rejected, Message: "xai: " + fmt.Sprintf(format, args...)}
	}
	switch {
	case r.Prompt == "":
		return beyond("no prompt")
	case r.N < 1 || r.N > o.MaxN:
		return beyond("%d images in one call; %s makes 1 to %d", r.N, o.Model, o.MaxN)
	case len(r.Inputs) > o.MaxInputs:
		return beyond("%d pictures to edit; %s takes at most %d", len(r.Inputs), o.Model, o.MaxInputs)
	case r.Mask != nil && !(o.Mask && r.IsEdit()):
		return beyond("%s takes no mask with this request", o.Model)
	case !r.Size.IsZero() && !o.TakesSize(r.Size):
		return beyond("%s takes no size %s", o.Model, r.Size)
	case !r.Size.IsZero() && r.AspectRatio != "":
		return beyond("both a size and an aspect ratio")
	case r.User != "" && !o.User:
		return beyond("%s takes no user", o.Model)
	}
	for _, f := range []struct {
		name, value string
		takes       []string
	}{
		{"aspect_ratio", r.AspectRatio, o.AspectRatios},
		{"resolution", r.Resolution, o.Resolutions},
		{"quality", r.Quality, o.Qualities},
		{"style", r.Style, o.Styles},
	} {
		if f.value != "" && !slices.Contains(f.takes, f.value) {
			return beyond("%s takes no %s %q", o.Model, f.name, f.value)
		}
	}
	for _, in := range r.Inputs {
		if len(in.Data) == 0 || len(in.Data) > maxInput {
			return beyond("a picture to edit has %d bytes; from 1 to %d are taken", len(in.Data), maxInput)
		}
		if !slices.Contains([]string{"image/png", "image/jpeg", "image/webp"}, in.MIME) {
			return beyond("a picture to edit is %s; PNG, JPEG and WebP are taken", in.MIME)
		}
	}
	return nil
}

// fields is what is sent of r, whatever the transport.
func (m *maker) fields(r *provider.Request, o *provider.Offer) fields {
	f := fields{
		Model: cmp.Or(r.Model, o.Model), Prompt: r.Prompt, N: r.N,
		Size: r.Size.String(), AspectRatio: r.AspectRatio, Resolution: r.Resolution, Quality: r.Quality,
		ResponseFormat: cmp.Or(m.cfg.Response, "url"), Style: r.Style, User: r.User, Deferred: m.cfg.Deferred,
	}
	if !m.asPage() {
		// What the service would choose for itself has changed before, and with
		// it the price. Only the ratio of an edit is better left to its source.
		f.Resolution = cmp.Or(f.Resolution, o.DefaultResolution)
		f.Quality = cmp.Or(f.Quality, o.DefaultQuality)
		if !r.IsEdit() {
			f.AspectRatio = cmp.Or(f.AspectRatio, o.DefaultAspectRatio)
		}
	}
	return f
}

// encode writes r as the wire of REST wants it.
func (m *maker) encode(r *provider.Request, o *provider.Offer) call {
	f := m.fields(r, o)
	switch {
	case !r.IsEdit():
		return jsonCall("/images/generations", f)
	case m.asPage():
		return multipartCall("/images/edits", f, r)
	case len(r.Inputs) == 1:
		f.Image = &source{dataURL(r.Inputs[0])}
	default:
		for _, in := range r.Inputs {
			f.Images = append(f.Images, source{dataURL(in)})
		}
	}
	return jsonCall("/images/edits", f)
}

func jsonCall(path string, f fields) call {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(f); err != nil {
		panic(err) // strings and numbers always encode
	}
	return call{path, "application/json", bytes.TrimSuffix(b.Bytes(), []byte("\n"))}
}

func dataURL(in provider.Input) string {
	return "data:" + in.MIME + ";base64," + base64.StdEncoding.EncodeToString(in.Data)
}

// multipartCall is the form of the page's edit example: model, image, mask,
// prompt, n, size. Several pictures are "image[]", as OpenAI's clients send them.
func multipartCall(path string, f fields, r *provider.Request) call {
	var b bytes.Buffer
	w := multipart.NewWriter(&b) // a bytes.Buffer takes everything, so no error can come
	field := func(name, value string) {
		if value != "" {
			w.WriteField(name, value)
		}
	}
	file := func(name, filename string, in provider.Input) {
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", fmt.Sprintf(`form-data; name=%q; filename=%q`, name, filename))
		h.Set("Content-Type", in.MIME)
		p, _ := w.CreatePart(h)
		p.Write(in.Data)
	}
	field("model", f.Model)
	name := "image"
	if len(r.Inputs) > 1 {
		name = "image[]"
	}
	for i, in := range r.Inputs {
		file(name, fmt.Sprintf("image%d.%s", i, extension(in.MIME)), in)
	}
	if r.Mask != nil {
		file("mask", "mask.png", *r.Mask)
	}
	field("prompt", f.Prompt)
	field("n", strconv.Itoa(f.N))
	field("size", f.Size)
	field("aspect_ratio", f.AspectRatio)
	field("style", f.Style)
	field("response_format", f.ResponseFormat)
	w.Close()
	return call{path, w.FormDataContentType(), b.Bytes()}
}

func extension(mime string) string {
	switch mime {
	case "image/jpeg":
		return "jpg"
	case "image/webp":
		return "webp"
	}
	return "png"
}
