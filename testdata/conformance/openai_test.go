package conformance

import (
	"bytes"
	"encoding/base64"
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
	changedOnlyLeft(t, e.get(r.Data[0].URL))
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
