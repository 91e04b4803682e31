package emulator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/imaging"
)

// gpt is a reply of the profile openai, or an error.
type gpt struct {
	Created int64
	Data    []struct {
		B64 string `json:"b64_json"`
		URL *string
	}
	Background, Quality, Size string
	Format                    string `json:"output_format"`
	Usage                     tokens
	Error                     *struct {
		Message, Type string
		Param, Code   *string
		Details       *struct {
			Stage string `json:"moderation_stage"`
		} `json:"moderation_details"`
	}
}

func gptOf(t *testing.T, a answer) gpt {
	t.Helper()
	var g gpt
	if err := json.Unmarshal(a.body, &g); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return g
}

func TestRecordedOpenAI(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		// 600 tokens for 1.5 squares of low, and 11 for 43 characters.
		"gpt_image_generate.http": "2 of jpeg 1536x1024 opaque, low, 11+0 600, 180550000",
		// Two pictures of 48x32 are two of 1024 pixels each, begun.
		"gpt_image_edit.http": "1 of png 1536x1024 transparent, max, 4+4 42198, 12659920000",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, url := serve(t, Config{Profile: "openai", Key: key})
			a := record(t, url, name, key)
			g := gptOf(t, a)
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			b, err := base64.StdEncoding.DecodeString(g.Data[0].B64)
			if err != nil {
				t.Fatal(err)
			}
			p, info, err := imaging.Decode(b, imaging.DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			if p.Opaque() != (g.Background == "opaque") || info.Format != g.Format || fmt.Sprintf("%dx%d", info.Width, info.Height) != g.Size {
				t.Errorf("opaque %t, %s %dx%d: %+v", p.Opaque(), info.Format, info.Width, info.Height, g.Size)
			}
			got := fmt.Sprintf("%d of %s %s %s, %s, %d+%d %d, %d", len(g.Data), g.Format, g.Size, g.Background, g.Quality, g.Usage.Of.Text, g.Usage.Of.Image, g.Usage.Output, s.Stats().Ticks)
			if got != want || g.Usage.Total != g.Usage.Input+g.Usage.Output || g.Created != 1699000000 {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestOpenAIRefusals(t *testing.T) {
	t.Parallel()
	form := func(more string) string {
		return "--X\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-image-2\r\n--X\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\np\r\n" + more + "--X--\r\n"
	}
	part := func(name, value string) string {
		return "--X\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"f\"\r\n\r\n" + value + "\r\n"
	}
	s, url := serve(t, Config{Profile: "openai"})
	for _, tt := range []struct {
		path, body string
		want       string // status, code, param, and how the message begins
	}{
		{generations, `{"prompt":"p"}`, "400 missing_required_parameter model Missing required parameter: 'model'."},
		{generations, `{"model":"gpt-image-2"}`, "400 missing_required_parameter prompt Missing required parameter: 'prompt'."},
		{generations, `{"model":"dall-e-3","prompt":"p"}`, "404 model_not_found model The model `dall-e-3` does not exist"},
		{generations, `{"model":"gpt-image-2","prompt":"p","response_format":"url"}`, "400 unknown_parameter response_format Unknown parameter: 'response_format'."},
		{generations, `{"model":"gpt-image-2","prompt":"p","style":"vivid"}`, "400 unknown_parameter style Unknown parameter: 'style'."},
		{generations, `{"model":"gpt-image-2","prompt":"p","deferred":true}`, "400 unknown_parameter deferred Unknown parameter: 'deferred'."},
		{generations, `{"model":"gpt-image-2","prompt":"p","stream":true}`, "400 unsupported_value stream This server does not stream"},
		{generations, `{"model":"gpt-image-2","prompt":"p","n":11}`, "400 invalid_value n Invalid value: '11'."},
		{generations, `{"model":"gpt-image-2","prompt":"p","quality":"max"}`, "400 invalid_value quality Invalid value: 'max'. Supported values are: 'auto', 'low', 'medium', 'high'."},
		{generations, `{"model":"gpt-image-2","prompt":"p","output_format":"webp"}`, "400 invalid_value output_format Invalid value: 'webp'. Supported values are: 'png', 'jpeg'."},
		{generations, `{"model":"gpt-image-2","prompt":"p","output_compression":101}`, "400 invalid_value output_compression Invalid value: '101'."},
		{generations, `{"model":"gpt-image-2","prompt":"p","background":"transparent","output_format":"jpeg"}`, "400 invalid_value background Transparent background"},
		{generations, `{"model":"gpt-image-2","prompt":"p","size":"1000x1000"}`, "400 invalid_value size Invalid value: '1000x1000'."},
		{generations, `{"model":"gpt-image-2","prompt":"p","size":"512x512"}`, "400 invalid_value size"},
		{generations, `{"model":"gpt-image-2","prompt":"p","size":"3840x1024"}`, "400 invalid_value size"},
		{generations, `{"model":"gpt-image-2","prompt":"p","size":"99999999999999999999x16"}`, "400 invalid_value size"},
		{generations, `{"model":"gpt-image-2","prompt":"` + strings.Repeat("ä", 32001) + `"}`, "400 string_above_max_length prompt Invalid 'prompt': string too long."},
		{generations, `{`, "400 invalid_value  the body is not a JSON object"},
		{edits, `{"model":"gpt-image-2","prompt":"p"}`, "415 unsupported_content_type  Unsupported content type."},
		{edits, form(""), "400 invalid_value  an edit takes 1 to 16 images, got 0"},
		{edits, form(strings.Repeat(part("image[]", string(aPNG)), 17)), "400 invalid_value  an edit takes 1 to 16 images, got 17"},
		{edits, form(part("image", string(aPNG)) + part("mask", string(encode(image.NewNRGBA(image.Rect(0, 0, 47, 32)))))), "400 invalid_value  mask: 47x32 pixels"},
		{edits, form(part("image", string(aPNG)) + part("mask", string(encode(image.NewGray(image.Rect(0, 0, 48, 32)))))), "400 invalid_value  mask: this png has no alpha channel"},
		{edits, form(part("image", string(aPNG)) + part("mask", strings.Repeat("x", 4_000_000))), "400 invalid_value mask Invalid mask: it must be less than 4 MB."},
	} {
		kind := "application/json"
		if strings.HasPrefix(tt.body, "--X") {
			kind = "multipart/form-data; boundary=X"
		}
		resp, err := http.Post(url+tt.path, kind, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		a := read(t, resp)
		g := gptOf(t, a)
		if g.Error == nil {
			t.Errorf("%.100s: %.100s", tt.body, a.body)
			continue
		}
		text := func(s *string) string {
			if s == nil {
				return ""
			}
			return *s
		}
		got := fmt.Sprintf("%d %s %s %s", a.status, text(g.Error.Code), text(g.Error.Param), g.Error.Message)
		if !strings.HasPrefix(got, tt.want) || g.Error.Type != "invalid_request_error" {
			t.Errorf("%.100s: %s, want %s", tt.body, got, tt.want)
		}
	}
	if st := s.Stats(); st.Ticks != 0 {
		t.Errorf("%+v", st)
	}
	for _, path := range []string{"/v1/images/some-id", "/v1/image-generation-models", "/v1/api-key", "/images/x.png"} {
		if a := get(t, url+path); a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

func TestOpenAIModels(t *testing.T) {
	t.Parallel()
	_, url := serve(t, Config{Profile: "openai", Key: key})
	if a := get(t, url+"/v1/models"); a.status != 401 || !strings.Contains(string(a.body), `"code":"invalid_api_key"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := record(t, url, "gpt_image_generate.http", "wrong"); a.status != 401 || *gptOf(t, a).Error.Code != "invalid_api_key" {
		t.Errorf("%d %s", a.status, a.body)
	}
	_, url = serve(t, Config{Profile: "openai"})
	if a := get(t, url+"/v1/models"); !strings.HasPrefix(string(a.body), `{"data":[{"id":"gpt-image-2","object":"model","created":1776729600,"owned_by":"openai"},`) {
		t.Errorf("%s", a.body)
	}
	if a := get(t, url+"/v1/models/gpt-image-2-2026-04-21"); a.status != 200 {
		t.Errorf("%s", a.body)
	}
	if a := get(t, url+"/v1/models/gpt-image-1"); a.status != 404 || *gptOf(t, a).Error.Code != "model_not_found" {
		t.Errorf("%s", a.body)
	}
}

// TestOpenAIFaults: they have the shapes of this profile.
func TestOpenAIFaults(t *testing.T) {
	t.Parallel()
	for do, want := range map[string]string{
		`{"status":429,"retry_after":"1"}`: `429 {"error":{"message":"Too Many Requests","type":"requests","param":null,"code":"rate_limit_exceeded"}}`,
		`{"status":503}`:                   `503 {"error":{"message":"Service Unavailable","type":"server_error","param":null,"code":null}}`,
		`{"status":403}`:                   `403 {"error":{"message":"Forbidden","type":"invalid_request_error","param":null,"code":null}}`,
		`{"moderated":"400"}`:              `400 {"error":{"message":"Generated image rejected by content moderation.","type":"image_generation_user_error","param":null,"code":"moderation_blocked","moderation_details":{"moderation_stage":"output","categories":["other"]}}}`,
		`{"moderated":"flag"}`:             `200 {"created":1699000000,"data":[{}],"background":"opaque","output_format":"png","quality":"medium","size":"1024x1024","usage":{"input_tokens":1,"output_tokens":1767,"total_tokens":1768,"input_tokens_details":{"text_tokens":1,"image_tokens":0}}}`,
		`{"moderated":"empty"}`:            `200 {"created":1699000000,"data":[],"background":"opaque","output_format":"png","quality":"medium","size":"1024x1024","usage":{"input_tokens":1,"output_tokens":1767,"total_tokens":1768,"input_tokens_details":{"text_tokens":1,"image_tokens":0}}}`,
	} {
		faults, err := ParseFaults([]byte(`[{"do":` + do + `}]`))
		if err != nil {
			t.Fatal(err)
		}
		_, url := serve(t, Config{Profile: "openai", Faults: faults})
		a := post(t, url, generations, `{"model":"gpt-image-2","prompt":"p"}`)
		if d := cmp.Diff(want, fmt.Sprintf("%d %s", a.status, bytes.TrimSpace(a.body))); d != "" {
			t.Error(d)
		}
	}
}

// TestHole: some of it can be seen through, the middle can't.
func TestHole(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{1, 1}, {48, 32}, {31, 47}} {
		p := imaging.New(size[0], size[1])
		for i := range p.Pix() {
			p.Pix()[i] = 255
		}
		hole(p)
		at := func(x, y int) color.NRGBA {
			i := 4 * (y*size[0] + x)
			return color.NRGBA{p.Pix()[i], p.Pix()[i+1], p.Pix()[i+2], p.Pix()[i+3]}
		}
		if at(size[0]/2, size[1]/2).A != 255 || size[0] > 1 && at(0, 0).A != 0 {
			t.Errorf("%v: %v, %v", size, at(size[0]/2, size[1]/2), at(0, 0))
		}
	}
}
