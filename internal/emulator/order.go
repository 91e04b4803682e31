package emulator

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/imaging"
)

const (
	maxBody    = 256 << 20
	maxPicture = 20 << 20
	maxField   = 256 << 10 // prompts are kept: in charges, with pictures and jobs
)

// order is a request for images, understood.
type order struct {
	model                              model
	prompt                             string
	n                                  int
	width, height                      int // pixels
	resolution, quality, style, format string
	inputs                             []*imaging.Picture
	mask                               *imaging.Mask
	deferred                           bool
	encoding, background               string // of the picture; what there is to see through
	compression                        int    // as imaging has it
}

// wrong is why a request is refused.
type wrong struct {
	status     int // of HTTP; gRPC has its own for each
	code, text string
	param      string // that is to blame, for OpenAI
	ticks      int64  // billed nevertheless
	scripted   bool   // by a fault, which has the answer
}

func (w *wrong) Error() string { return w.text }

// What the service says.
const (
	invalid   = "Client specified an invalid argument"
	notFound  = "Some requested entity was not found"
	moderated = "Generated image rejected by content moderation."
)

func badf(format string, args ...any) *wrong {
	return &wrong{status: 400, code: invalid, text: fmt.Sprintf(format, args...)}
}

// unsupported refuses a parameter that the service does not have.
func unsupported(name string) *wrong {
	return &wrong{status: 400, code: "400", text: "Argument not supported: " + name}
}

// wire is a request as it comes: JSON, multipart and protobuf alike. Pictures
// are bytes.
type wire struct {
	edit   bool
	fields map[string]string // scalars, absent if empty
	images [][]byte
	mask   []byte
}

// read takes the body apart.
func (s *Server) read(r *http.Request) (*wire, *wrong) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	body := io.LimitReader(r.Body, maxBody)
	edit := strings.HasSuffix(r.URL.Path, "/edits")
	takesForm, takesJSON := edit && s.cfg.Profile != "current", !edit || s.cfg.Profile != "openai"
	switch {
	case err == nil && kind == "application/json" && takesJSON:
		return readJSON(body, edit)
	case err == nil && kind == "multipart/form-data" && takesForm:
		return readForm(multipart.NewReader(body, params["boundary"]))
	}
	io.Copy(io.Discard, body) // to close on unread bytes would reset the connection, and the answer with it
	if !takesJSON {
		return nil, &wrong{status: 415, code: "unsupported_content_type", text: "Unsupported content type. This method takes multipart/form-data."}
	}
	return nil, &wrong{status: 415, code: "415", text: "Expected request with `Content-Type: application/json`"}
}

func readJSON(body io.Reader, edit bool) (*wire, *wrong) {
	var raw map[string]json.RawMessage
	if err := json.NewDecoder(body).Decode(&raw); err != nil {
		return nil, badf("the body is not a JSON object")
	}
	w := &wire{edit: edit, fields: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(raw)) { // of several errors always the same
		v := raw[name]
		switch name {
		case "image", "images", "mask":
			if !edit {
				continue // the real route ignores them, and bills
			}
			var all []json.RawMessage
			if json.Unmarshal(v, &all) != nil {
				all = []json.RawMessage{v}
			}
			for _, one := range all {
				b, err := picture(one)
				if err != nil {
					return nil, badf("%s: %v", name, err)
				}
				if name == "mask" {
					w.mask = b
				} else if b != nil {
					w.images = append(w.images, b)
				}
			}
		default:
			var text string
			if json.Unmarshal(v, &text) != nil {
				text = string(v)
			}
			if text != "" && text != "null" {
				w.fields[name] = text
			}
		}
	}
	if raw["image"] != nil && raw["images"] != nil {
		return nil, badf("image and images exclude each other")
	}
	return w, nil
}

// picture reads the forms in which clients write one: a data URL, or an object
// with it as url or image_url, itself perhaps an object with url.
func picture(v json.RawMessage) ([]byte, error) {
	var text string
	var object struct {
		URL      string          `json:"url"`
		ImageURL json.RawMessage `json:"image_url"`
		FileID   string          `json:"file_id"`
	}
	switch {
	case string(v) == "null":
		return nil, nil
	case json.Unmarshal(v, &text) == nil:
	case json.Unmarshal(v, &object) != nil:
		return nil, errors.New("neither a string nor an object")
	case object.FileID != "":
		return nil, errors.New("there are no files here")
	case object.ImageURL != nil:
		return picture(object.ImageURL)
	default:
		text = object.URL
	}
	return dataURL(text)
}

func dataURL(text string) ([]byte, error) {
	head, data, ok := strings.Cut(text, ";base64,")
	if !ok || !slices.Contains([]string{"data:image/png", "data:image/jpeg", "data:image/webp"}, head) {
		return nil, errors.New("only data URLs of PNG, JPEG and WebP can be read here")
	}
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, errors.New("its base64 is broken")
	}
	return b, nil
}

// readForm takes the parts in any order, "image" and "image[]", whatever type
// they claim. Empty parts count as absent: some clients send all fields always.
func readForm(form *multipart.Reader) (*wire, *wrong) {
	w := &wire{edit: true, fields: map[string]string{}}
	for {
		part, err := form.NextPart()
		if err == io.EOF {
			return w, nil
		}
		if err != nil {
			return nil, badf("the form is broken")
		}
		b, err := io.ReadAll(part)
		if err != nil {
			return nil, badf("the form is broken")
		}
		switch name := part.FormName(); {
		case len(b) == 0, name == "n" && string(b) == "0":
		case name == "image" || name == "image[]":
			if strings.HasPrefix(string(b[:min(len(b), 5)]), "data:") {
				if b, err = dataURL(string(b)); err != nil {
					return nil, badf("image: %v", err)
				}
			}
			w.images = append(w.images, b)
		case name == "mask":
			w.mask = b
		default:
			w.fields[name] = string(b)
		}
	}
}

// understand checks w as the profile does.
func (s *Server) understand(w *wire) (*order, *wrong) {
	for _, name := range slices.Sorted(maps.Keys(w.fields)) {
		if len(w.fields[name]) > maxField {
			return nil, badf("%.20s is too long", name)
		}
	}
	if s.cfg.Profile == "openai" {
		return understandOpenAI(w)
	}
	strict := s.cfg.Profile == "current"
	without := []string{"quality"} // says the page
	if strict {
		without = []string{"size", "style", "seed", "negative_prompt", "background", "output_format", "stream"}
	}
	for _, name := range without {
		if w.fields[name] != "" {
			return nil, unsupported(name)
		}
	}
	if strict && w.mask != nil {
		return nil, unsupported("mask")
	}

	m, ok := modelNamed(models, cmp.Or(w.fields["model"], models[0].name))
	if !ok {
		return nil, &wrong{status: 404, code: notFound, text: fmt.Sprintf("The model %s does not exist or your team does not have access to it.", w.fields["model"])}
	}
	o := &order{model: m, prompt: w.fields["prompt"], n: 1, style: w.fields["style"], quality: w.fields["quality"], resolution: w.fields["resolution"], format: w.fields["response_format"], encoding: "png", compression: 90}
	if strict {
		o.encoding = "jpeg"
	}
	if o.prompt == "" {
		return nil, &wrong{status: 422, code: "invalid-argument", text: "missing field `prompt`"}
	}
	if v := w.fields["n"]; v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 10 {
			return nil, badf("n must be between 1 and 10, got %s", v)
		}
		o.n = n
	}
	for _, f := range []struct {
		name, value string
		takes       []string
	}{
		{"deferred", w.fields["deferred"], []string{"true", "false"}},
		{"response_format", o.format, []string{"url", "b64_json"}},
		{"style", o.style, []string{"vivid", "natural"}},
		{"resolution", o.resolution, []string{"1k", "1.5k", "2k"}},
		{"aspect_ratio", w.fields["aspect_ratio"], ratios},
		{"size", w.fields["size"], []string{"1024x1024", "1792x1024", "1024x1792"}},
	} {
		if f.value != "" && !slices.Contains(f.takes, f.value) {
			return nil, badf("%s %s is not supported", f.name, f.value)
		}
	}
	if o.quality != "" && !(m.qualities && slices.Contains([]string{"low", "medium", "auto"}, o.quality)) {
		return nil, unsupported("quality")
	}
	if r := w.fields["aspect_ratio"]; !m.qualities && (r == "21:9" || r == "5:2") {
		return nil, badf("aspect_ratio %s is not supported by %s", r, m.name)
	}
	if m.qualities && (o.quality == "" || o.quality == "auto") {
		o.quality = map[bool]string{false: "low", true: "medium"}[w.edit]
	}
	if o.format == "" {
		o.format = "url"
	}
	if o.deferred = w.fields["deferred"] == "true"; o.deferred && o.format != "url" {
		return nil, badf("deferred requests take response_format url only")
	}
	if w.edit {
		most := 3
		if m.qualities {
			most = 5
		}
		if no := o.sources(w, most, maxPicture); no != nil {
			return nil, no
		}
	}
	o.size(w.fields["size"], w.fields["aspect_ratio"], s.cfg.Profile)
	return o, nil
}

// sources decodes the pictures to edit and the mask.
func (o *order) sources(w *wire, most int, bytesEach int64) *wrong {
	if len(w.images) == 0 || len(w.images) > most {
		return badf("an edit takes 1 to %d images, got %d", most, len(w.images))
	}
	limits := imaging.DefaultLimits
	limits.Bytes = bytesEach
	for i, b := range w.images {
		p, _, err := imaging.Decode(b, limits)
		if err != nil {
			return badf("image %d: %v", i, err)
		}
		o.inputs = append(o.inputs, p)
	}
	if w.mask == nil {
		return nil
	}
	if !bytes.HasPrefix(w.mask, []byte("\x89PNG")) {
		return badf("mask: not a PNG")
	}
	m, err := imaging.ReadMask(w.mask, "transparent", limits)
	if err != nil {
		return badf("%v", err)
	}
	if p := o.inputs[0]; m.Width() != p.Width() || m.Height() != p.Height() {
		return badf("mask: %dx%d pixels, the image has %dx%d", m.Width(), m.Height(), p.Width(), p.Height())
	}
	o.mask = m
	return nil
}

// size sets the pixels and, for the price, the resolution. An edit of one
// picture follows it unless the request has a size.
func (o *order) size(size, ratio, profile string) {
	asked := o.resolution
	if o.resolution == "" {
		o.resolution = "1k"
	}
	switch {
	case size != "":
		w, h, _ := strings.Cut(size, "x")
		o.width, _ = strconv.Atoi(w)
		o.height, _ = strconv.Atoi(h)
	case len(o.inputs) > 0 && asked == "" && (ratio == "" || ratio == "auto" || len(o.inputs) == 1 && profile == "current"):
		o.width, o.height = o.inputs[0].Width(), o.inputs[0].Height()
	case len(o.inputs) > 0 && (ratio == "" || ratio == "auto" || len(o.inputs) == 1 && profile == "current"):
		o.width, o.height = pixels(fmt.Sprintf("%d:%d", o.inputs[0].Width(), o.inputs[0].Height()), o.resolution, profile)
	default:
		o.width, o.height = pixels(ratio, o.resolution, profile)
	}
}
