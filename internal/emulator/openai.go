package emulator

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/imgbuild/imgbuild/internal/imaging"
)

// The models of the profile openai. Those that end this year are left out.
var openaiModels = []model{
	{name: "gpt-image-2", aliases: []string{"gpt-image-2-2026-04-21"}, created: 1776729600},
	{name: "gpt-image-2.5-sunburst", aliases: []string{"gpt-image-2.5-sunburst-2026-09-08"}, created: 1788825600, qualities: true},
	{name: "gpt-image-2.5-flare", aliases: []string{"gpt-image-2.5-flare-2026-09-08"}, created: 1788825600, qualities: true},
	{name: "gpt-image-2.6-sunburst", created: 1792713600, qualities: true},
	{name: "gpt-image-2.6-flare", created: 1792713600, qualities: true},
}

// openaiFields are the parameters that are understood, or at least taken.
var openaiFields = []string{
	"prompt", "model", "n", "size", "quality", "background", "output_format", "output_compression", "moderation", "stream",
	"partial_images", "user", "safety_identifier", "complexity",
}

// invalidValue is a refusal as OpenAI words it.
func invalidValue(param, value, supported string) *wrong {
	return &wrong{status: 400, code: "invalid_value", param: param, text: fmt.Sprintf("Invalid value: '%s'. Supported values are: %s.", value, supported)}
}

// understandOpenAI checks w as the Images API of OpenAI does.
func understandOpenAI(w *wire) (*order, *wrong) {
	f := w.fields
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if !slices.Contains(openaiFields, name) {
			return nil, &wrong{status: 400, code: "unknown_parameter", param: name, text: fmt.Sprintf("Unknown parameter: '%s'.", name)}
		}
	}
	for _, name := range []string{"model", "prompt"} {
		if f[name] == "" {
			return nil, &wrong{status: 400, code: "missing_required_parameter", param: name, text: fmt.Sprintf("Missing required parameter: '%s'.", name)}
		}
	}
	m, ok := modelNamed(openaiModels, f["model"])
	if !ok {
		return nil, &wrong{status: 404, code: "model_not_found", param: "model", text: fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", f["model"])}
	}
	if f["stream"] != "" && f["stream"] != "false" {
		return nil, &wrong{status: 400, code: "unsupported_value", param: "stream", text: "This server does not stream: leave out stream, or send false."}
	}
	o := &order{model: m, prompt: f["prompt"], n: 1, quality: f["quality"], format: "b64_json", encoding: f["output_format"], background: f["background"], compression: 100}
	if n := utf8.RuneCountInString(o.prompt); n > 32000 {
		return nil, &wrong{status: 400, code: "string_above_max_length", param: "prompt", text: fmt.Sprintf("Invalid 'prompt': string too long. Expected a string with maximum length 32000, but got a string with length %d instead.", n)}
	}
	qualities := []string{"", "auto", "low", "medium", "high"}
	if m.qualities {
		qualities = append(qualities, "xhigh", "max")
	}
	for _, v := range []struct {
		name, value string
		takes       []string
	}{
		{"quality", o.quality, qualities},
		{"background", o.background, []string{"", "auto", "opaque", "transparent"}},
		{"output_format", o.encoding, []string{"", "png", "jpeg"}}, // LATER: webp, when imaging can write it
		{"moderation", f["moderation"], []string{"", "auto", "low"}},
	} {
		if !slices.Contains(v.takes, v.value) {
			return nil, invalidValue(v.name, v.value, "'"+strings.Join(v.takes[1:], "', '")+"'")
		}
	}
	if n, no := between(f, "n", 1, 10); no != nil {
		return nil, no
	} else if n > 0 {
		o.n = n
	}
	if f["output_compression"] != "" {
		n, no := between(f, "output_compression", 0, 100)
		if no != nil {
			return nil, no
		}
		o.compression = n
	}
	if o.encoding == "" {
		o.encoding = "png"
	}
	if o.background == "transparent" && o.encoding == "jpeg" {
		return nil, &wrong{status: 400, code: "invalid_value", param: "background", text: "Transparent background is not supported for output format 'jpeg'."}
	}
	if o.background != "transparent" {
		o.background = "opaque"
	}
	if o.quality == "" || o.quality == "auto" {
		o.quality = "medium"
	}
	if w.edit {
		if len(w.mask) >= 4_000_000 {
			return nil, &wrong{status: 400, code: "invalid_value", param: "mask", text: "Invalid mask: it must be less than 4 MB."}
		}
		if no := o.sources(w, 16, 50_000_000); no != nil {
			return nil, no
		}
	}
	if no := o.openaiSize(f["size"]); no != nil {
		return nil, no
	}
	return o, nil
}

// between reads a whole number; 0 if it is not there.
func between(fields map[string]string, name string, least, most int) (int, *wrong) {
	v := fields[name]
	if v == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		return 0, invalidValue(name, v, fmt.Sprintf("whole numbers from %d to %d", least, most))
	}
	return n, nil
}

// openaiSize sets the pixels: sides of 16, at most 3:1, between 655,360 and
// 8,294,400 together.
func (o *order) openaiSize(size string) *wrong {
	if size == "" || size == "auto" {
		o.width, o.height = 1024, 1024
		if len(o.inputs) > 0 {
			switch w, h := o.inputs[0].Width(), o.inputs[0].Height(); {
			case 4*w >= 5*h:
				o.width = 1536
			case 4*h >= 5*w:
				o.height = 1536
			}
		}
		return nil
	}
	ws, hs, _ := strings.Cut(size, "x")
	w, bad := strconv.Atoi(ws)
	h, worse := strconv.Atoi(hs)
	if bad != nil || worse != nil || w <= 0 || h <= 0 || w > 3840 || h > 3840 || w%16 != 0 || h%16 != 0 ||
		w > 3*h || h > 3*w || w*h < 655360 || w*h > 8294400 {
		return invalidValue("size", size, "'auto' and WIDTHxHEIGHT in steps of 16, up to 3840x2160 and 3:1, of 655360 to 8294400 pixels")
	}
	o.width, o.height = w, h
	return nil
}

// tokens are what OpenAI bills instead of images.
type tokens struct {
	Input  int `json:"input_tokens"`
	Output int `json:"output_tokens"`
	Total  int `json:"total_tokens"`
	Of     struct {
		Text  int `json:"text_tokens"`
		Image int `json:"image_tokens"`
	} `json:"input_tokens_details"`
}

// perSquare is the tokens of 1024x1024 pixels. The first three come to the
// prices that are published for gpt-image-2; the others are made up.
var perSquare = map[string]int{"low": 200, "medium": 1767, "high": 7033, "xhigh": 14066, "max": 28132}

func (o *order) tokens(n int) (t tokens) {
	t.Of.Text = (len(o.prompt) + 3) / 4
	for _, p := range o.inputs {
		t.Of.Image += (p.Width()*p.Height() + 1023) / 1024
	}
	t.Input = t.Of.Text + t.Of.Image
	t.Output = n * (perSquare[o.quality] * o.width * o.height / (1024 * 1024))
	t.Total = t.Input + t.Output
	return t
}

// ticks are 5 USD a million of text, 8 of pictures that come, 30 of those that
// go.
func (t tokens) ticks() int64 {
	return int64(t.Of.Text)*5e4 + int64(t.Of.Image)*8e4 + int64(t.Output)*30e4
}

// hole makes what is outside of the ellipse transparent, so that a client that
// asked for it has something to see through.
func hole(p *imaging.Picture) {
	w, h, pix := p.Width(), p.Height(), p.Pix()
	for y := range h {
		for x := range w {
			dx, dy := (2*x+1-w)*h, (2*y+1-h)*w
			if dx*dx+dy*dy > w*h*w*h {
				pix[4*(y*w+x)+3] = 0
			}
		}
	}
}

// openai is the reply with the images of o.
func (m *made) openai(o *order) any {
	type datum struct {
		B64           string `json:"b64_json,omitempty"`
		RevisedPrompt string `json:"revised_prompt,omitempty"`
	}
	data := []datum{}
	for _, d := range m.images {
		data = append(data, datum{base64.StdEncoding.EncodeToString(d.bytes), d.revised})
	}
	return struct {
		Created    int64   `json:"created"`
		Data       []datum `json:"data"`
		Background string  `json:"background"`
		Format     string  `json:"output_format"`
		Quality    string  `json:"quality"`
		Size       string  `json:"size"`
		Usage      tokens  `json:"usage"`
	}{m.created, data, o.background, o.encoding, o.quality, fmt.Sprintf("%dx%d", o.width, o.height), o.tokens(m.billed)}
}

// nested is the shape of OpenAI's errors.
func (no *wrong) nested() any {
	type details struct {
		Stage      string   `json:"moderation_stage"`
		Categories []string `json:"categories"`
	}
	type body struct {
		Message string   `json:"message"`
		Type    string   `json:"type"`
		Param   *string  `json:"param"`
		Code    *string  `json:"code"`
		Details *details `json:"moderation_details,omitempty"`
	}
	b := body{Message: no.text, Type: "invalid_request_error", Code: &no.code}
	if no.param != "" {
		b.Param = &no.param
	}
	switch {
	case no.text == moderated:
		b.Type, no.code = "image_generation_user_error", "moderation_blocked"
		b.Details = &details{"output", []string{"other"}}
	case no.status == 401:
		no.code = "invalid_api_key"
	case no.status == 429:
		b.Type, no.code = "requests", "rate_limit_exceeded"
	case no.status >= 500:
		b.Type, b.Code = "server_error", nil
	case no.code == invalid:
		no.code = "invalid_value"
	case no.code == "" || no.code == strconv.Itoa(no.status):
		b.Code = nil
	}
	return struct {
		Error body `json:"error"`
	}{b}
}

type openaiCatalogued struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (s *Server) openaiModels(w http.ResponseWriter, r *http.Request) *wrong {
	all := []openaiCatalogued{}
	for _, m := range openaiModels {
		all = append(all, openaiCatalogued{m.name, "model", m.created, "openai"})
	}
	writeJSON(w, 200, map[string]any{"object": "list", "data": all})
	return nil
}

func (s *Server) openaiModel(w http.ResponseWriter, r *http.Request) *wrong {
	m, ok := modelNamed(openaiModels, r.PathValue("id"))
	if !ok {
		return &wrong{status: 404, code: "model_not_found", param: "model", text: fmt.Sprintf("The model '%s' does not exist", r.PathValue("id"))}
	}
	writeJSON(w, 200, openaiCatalogued{m.name, "model", m.created, "openai"})
	return nil
}
