package conformance

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const city = "A futuristic city with flying cars at sunset"

// openaiGo is the client as its documentation makes one, without its retries.
func (e *emulator) openaiGo(options ...option.RequestOption) openai.Client {
	return openai.NewClient(append([]option.RequestOption{
		option.WithBaseURL(e.origin + "/v1"), option.WithAPIKey(key), option.WithMaxRetries(0),
	}, options...)...)
}

func TestOpenAIGoGenerate(t *testing.T) {
	t.Parallel()
	e := emulate(t, "documented", "")
	client := e.openaiGo()
	r, err := client.Images.Generate(t.Context(), openai.ImageGenerateParams{
		Model: "grok-imagine-image", Prompt: city, N: openai.Int(1), Size: "1024x1792",
	})
	if err != nil {
		t.Fatal(err)
	}
	looks(t, e.get(r.Data[0].URL), "png", 1024, 1792)
	if !strings.Contains(r.Data[0].RevisedPrompt, "futuristic city") {
		t.Errorf("revised prompt %q", r.Data[0].RevisedPrompt)
	}
	e.billed(1, charge{1, priceImage})
}

func TestOpenAIGoFourAtOnceInBase64(t *testing.T) {
	t.Parallel()
	e := emulate(t, "current", "")
	client := e.openaiGo(option.WithJSONSet("aspect_ratio", "3:2")) // which the SDK does not know
	r, err := client.Images.Generate(t.Context(), openai.ImageGenerateParams{
		Model: "grok-imagine-image", Prompt: city, N: openai.Int(4), ResponseFormat: "b64_json",
	})
	if err != nil || len(r.Data) != 4 {
		t.Fatalf("%v, %v", r, err)
	}
	var all [][]byte
	for _, d := range r.Data {
		b, err := base64.StdEncoding.DecodeString(d.B64JSON)
		if err != nil {
			t.Fatal(err)
		}
		looks(t, b, "jpeg", 1248, 832)
		all = append(all, b)
	}
	differ(t, all...)
	e.billed(1, charge{4, 4 * priceImage})
}

// The page's sample of an edit: two open files.
func TestOpenAIGoEditWithMask(t *testing.T) {
	t.Parallel()
	e := emulate(t, "documented", "")
	client := e.openaiGo()
	r, err := client.Images.Edit(t.Context(), openai.ImageEditParams{
		Model: "grok-imagine-image", Prompt: "Add a rainbow in the sky", N: openai.Int(1),
		Image: openai.ImageEditParamsImageUnion{OfFile: open(t, original)}, Mask: open(t, mask),
	})
	if err != nil {
		t.Fatal(err)
	}
	changedOnlyLeft(t, original, e.get(r.Data[0].URL))
	e.billed(1, charge{1, priceImage + priceInput})
}

func TestOpenAIGoEditOfTwo(t *testing.T) {
	t.Parallel()
	e := emulate(t, "documented", "")
	client := e.openaiGo()
	r, err := client.Images.Edit(t.Context(), openai.ImageEditParams{
		Model: "grok-imagine-image", Prompt: "Both, at night", N: openai.Int(2), Size: "1024x1024",
		Image: openai.ImageEditParamsImageUnion{OfFileArray: []io.Reader{bytes.NewReader(original), bytes.NewReader(original)}},
	})
	if err != nil || len(r.Data) != 2 {
		t.Fatalf("%v, %v", r, err)
	}
	a, b := e.get(r.Data[0].URL), e.get(r.Data[1].URL)
	looks(t, a, "png", 1024, 1024)
	looks(t, b, "png", 1024, 1024)
	differ(t, a, b)
	e.billed(1, charge{2, 2*priceImage + 2*priceInput})
}

func open(t *testing.T, content []byte) *os.File {
	name := filepath.Join(t.TempDir(), "picture.png")
	if err := os.WriteFile(name, content, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// This SDK can't read xAI's flat errors, and loses the status with them: the
// emulator must not make life easier than it is. A middleware sees the status.
func TestOpenAIGoErrorsOfXAI(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, faults, model string
		options             []option.RequestOption
		status              int
		charges             []charge
	}{
		{"wrong key", "", "grok-imagine-image", []option.RequestOption{option.WithAPIKey("xai-wrong")}, 400, nil},
		{"no key", "", "grok-imagine-image", []option.RequestOption{option.WithHeaderDel("Authorization")}, 401, nil},
		{"unknown model", "", "grok-2-image", nil, 404, nil},
		{"moderated", `[{"do": {"moderated": "400"}}]`, "grok-imagine-image", nil, 400, []charge{{1, priceImage}}},
		{"rate limit", `[{"do": {"status": 429, "retry_after": "1"}}]`, "grok-imagine-image", nil, 429, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := emulate(t, "documented", c.faults)
			var status int
			client := e.openaiGo(append(c.options, option.WithMiddleware(func(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
				resp, err := next(r)
				if err == nil {
					status = resp.StatusCode
				}
				return resp, err
			}))...)
			_, err := client.Images.Generate(t.Context(), openai.ImageGenerateParams{Model: c.model, Prompt: city})
			if err == nil || !strings.Contains(err.Error(), "cannot unmarshal string") || status != c.status {
				t.Errorf("status %d, want %d; error %v", status, c.status, err)
			}
			e.billed(1, c.charges...)
		})
	}
}

// Its retries are its user's money: here the first answer was not billed.
func TestOpenAIGoRepeatsAfterARateLimit(t *testing.T) {
	t.Parallel()
	e := emulate(t, "documented", `[{"times": 1, "do": {"status": 429, "retry_after": "0.05"}}]`)
	client := e.openaiGo(option.WithMaxRetries(1))
	r, err := client.Images.Generate(t.Context(), openai.ImageGenerateParams{Model: "grok-imagine-image", Prompt: city})
	if err != nil {
		t.Fatal(err)
	}
	looks(t, e.get(r.Data[0].URL), "png", 1024, 1024)
	e.billed(2, charge{1, priceImage})
}

// What is billed in the profile openai: tokens, of which a million cost 5 USD
// if they are text, 8 for pictures sent, and 30 for pictures made.
func tokens(images int, u openai.ImagesResponseUsage) charge {
	return charge{images, 5e4*u.InputTokensDetails.TextTokens + 8e4*u.InputTokensDetails.ImageTokens + 30e4*u.OutputTokens}
}

func TestOpenAIGoGenerateByGPTImage(t *testing.T) {
	t.Parallel()
	e := emulate(t, "openai", "")
	client := e.openaiGo()
	r, err := client.Images.Generate(t.Context(), openai.ImageGenerateParams{
		Model: "gpt-image-2", Prompt: city, N: openai.Int(2), Size: "1536x1024", Quality: "low", OutputFormat: "jpeg",
	})
	if err != nil || len(r.Data) != 2 {
		t.Fatalf("%v, %v", r, err)
	}
	var all [][]byte
	for _, d := range r.Data {
		b, err := base64.StdEncoding.DecodeString(d.B64JSON)
		if err != nil {
			t.Fatal(err)
		}
		looks(t, b, "jpeg", 1536, 1024)
		all = append(all, b)
	}
	differ(t, all...)
	if r.Size != "1536x1024" || r.Quality != "low" || r.OutputFormat != "jpeg" || r.Usage.OutputTokens == 0 || r.Usage.InputTokens == 0 {
		t.Errorf("%+v", r)
	}
	e.billed(1, tokens(2, r.Usage))
}

func TestOpenAIGoEditWithMaskByGPTImage(t *testing.T) {
	t.Parallel()
	e := emulate(t, "openai", "")
	client := e.openaiGo()
	original, mask := toEdit(1024, 1024)
	r, err := client.Images.Edit(t.Context(), openai.ImageEditParams{
		Model: "gpt-image-2", Prompt: "Add a rainbow in the sky", Size: "1024x1024",
		Image: openai.ImageEditParamsImageUnion{OfFileArray: []io.Reader{open(t, original)}}, Mask: open(t, mask),
	})
	if err != nil || len(r.Data) != 1 {
		t.Fatalf("%v, %v", r, err)
	}
	b, err := base64.StdEncoding.DecodeString(r.Data[0].B64JSON)
	if err != nil {
		t.Fatal(err)
	}
	changedOnlyLeft(t, original, b)
	if r.Usage.InputTokensDetails.ImageTokens == 0 {
		t.Errorf("%+v", r.Usage)
	}
	e.billed(1, tokens(1, r.Usage))
}

// OpenAI's errors are those that its SDK can read.
func TestOpenAIGoErrorsOfOpenAI(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, faults, key, model string
		size                     openai.ImageGenerateParamsSize
		status                   int
		kind, code, param        string
		billed                   bool
	}{
		{name: "wrong key", key: "sk-wrong", status: 401, kind: "invalid_request_error", code: "invalid_api_key"},
		{name: "unknown model", model: "dall-e-3", status: 404, kind: "invalid_request_error", code: "model_not_found", param: "model"},
		{name: "size", size: "512x512", status: 400, kind: "invalid_request_error", code: "invalid_value", param: "size"},
		{name: "moderated", faults: `[{"do": {"moderated": "400"}}]`, status: 400, kind: "image_generation_user_error", code: "moderation_blocked", billed: true},
		{name: "rate limit", faults: `[{"do": {"status": 429}}]`, status: 429, kind: "requests", code: "rate_limit_exceeded"},
		{name: "internal", faults: `[{"do": {"status": 500}}]`, status: 500, kind: "server_error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := emulate(t, "openai", c.faults)
			client := e.openaiGo(option.WithAPIKey(cmp.Or(c.key, key)))
			_, err := client.Images.Generate(t.Context(), openai.ImageGenerateParams{Model: cmp.Or(c.model, "gpt-image-2"), Prompt: city, Size: c.size})
			var got *openai.Error
			if !errors.As(err, &got) || got.StatusCode != c.status || got.Type != c.kind || got.Code != c.code || got.Param != c.param {
				t.Errorf("%v, want %d %s %s %s", err, c.status, c.kind, c.code, c.param)
			}
			if requests, charges := e.stats(); requests != 1 || (len(charges) == 1) != c.billed {
				t.Errorf("%d requests, charges %v", requests, charges)
			}
		})
	}
}
