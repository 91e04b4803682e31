package xai

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
	"github.com/imgbuild/imgbuild/internal/xaipb"
)

func fuzzMaker(f *testing.F, cfg provider.Config) *maker {
	f.Helper()
	m, err := newMaker(cfg, Options{Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	return m
}

// oneOfSix reports whether an end of a call is one that apply knows what to do with.
func oneOfSix(err error) bool {
	var e *provider.Error
	return errors.As(err, &e) && e.Kind >= provider.NotSent && e.Kind <= provider.InDoubt
}

// FuzzPoll reads what a deferred job is answered with. An end of a job has
// pictures or is an error that says what it cost.
func FuzzPoll(f *testing.F) {
	for _, body := range []string{
		`{"status":"pending"}`, `{"status":"done","data":[{"url":"https://h/a"}],"usage":{"cost_in_usd_ticks":7}}`,
		`{"status":"failed","error":{"code":"internal_error","message":"m"}}`, `{"status":"expired"}`, `{"data":[]}`, `{"request_id":"r","data":[null,{"b64_json":""}]}`, ``,
	} {
		f.Add([]byte(body))
	}
	m := fuzzMaker(f, provider.Config{})
	offer, _ := m.Offer("")
	f.Fuzz(func(t *testing.T, body []byte) {
		var s providertest.Recorder
		resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
		a, err := m.read(resp, 2, &s)
		switch {
		case err != nil:
			t.Fatalf("an error of the sink, which has none: %v", err)
		case a.err != nil || a.jobStatus == "expired" || a.pending():
		case a.failed():
			if e := m.jobFailed(a); !oneOfSix(e) {
				t.Errorf("failed with %#v", e)
			}
		default:
			if _, err := m.deliver(a, generate(2), &offer, &s); err == nil && len(s.Images) == 0 {
				t.Error("success without an image")
			} else if err != nil && !oneOfSix(err) {
				t.Errorf("%T %v", err, err)
			}
		}
	})
}

// FuzzMessage reads a reply of gRPC down to what is delivered of it.
func FuzzMessage(f *testing.F) {
	text := base64.StdEncoding.EncodeToString(aPNG)
	f.Add(encode(field{1, []field{{1, "data:image/png;base64," + text}, {4, 1}}}))
	f.Add(encode(field{1, []field{{3, "https://h/a"}, {4, 1}}}, field{2, "grok"}))
	f.Add(encode(field{1, []field{{4, 0}}}))
	m := fuzzMaker(f, provider.Config{Transport: "grpc"})
	offer, _ := m.Offer("")
	f.Fuzz(func(t *testing.T, message []byte) {
		var s providertest.Recorder
		in := slimOf(bytes.NewReader(frame(message)), &s)
		got, err := io.ReadAll(in)
		if err != nil || len(got) < 5 {
			return
		}
		var reply xaipb.ImageResponse
		if proto.Unmarshal(got[5:], &reply) != nil {
			return
		}
		if _, err := m.deliver(unpack(&reply, in.images), generate(2), &offer, &s); err == nil && len(s.Images) == 0 {
			t.Error("success without an image")
		} else if err != nil && !oneOfSix(err) {
			t.Errorf("%T %v", err, err)
		}
	})
}

// FuzzMultipart writes a form and reads it back: nothing in a prompt, a model or
// a picture becomes another field of it.
func FuzzMultipart(f *testing.F) {
	f.Add("a cat", "m", "16:9", "image/png", []byte("\x89PNG"), 1)
	f.Add("a\r\n--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n10", "\"; name=\"n", "", "image/jpeg", []byte("\r\n--"), 3)
	f.Fuzz(func(t *testing.T, prompt, model, ratio, kind string, picture []byte, n int) {
		in := provider.Input{MIME: "image/png", Data: picture}
		if strings.HasSuffix(kind, "g") { // one of those that can be edited
			in.MIME = "image/jpeg"
		}
		r := &provider.Request{Prompt: prompt, Model: model, Inputs: []provider.Input{in}, Mask: &in}
		if n%2 == 0 {
			r.Inputs = append(r.Inputs, in)
		}
		c := multipartCall("/images/edits", fields{Model: model, Prompt: prompt, AspectRatio: ratio, N: n}, r)
		_, params, err := mime.ParseMediaType(c.contentType)
		if err != nil {
			t.Fatal(err)
		}
		form, err := multipart.NewReader(bytes.NewReader(c.body), params["boundary"]).ReadForm(64 << 20)
		if err != nil {
			t.Fatal(err)
		}
		defer form.RemoveAll()
		for name, want := range map[string]string{"prompt": prompt, "model": model, "aspect_ratio": ratio, "size": "", "style": ""} {
			if got := strings.Join(form.Value[name], "|"); got != want {
				t.Errorf("%s is %q, was %q", name, got, want)
			}
		}
		files := append(form.File["image"], form.File["image[]"]...)
		if len(files) != len(r.Inputs) || len(form.File["mask"]) != 1 || len(form.Value["n"]) != 1 {
			t.Fatalf("%d pictures, %d masks, n is %q", len(files), len(form.File["mask"]), form.Value["n"])
		}
		for _, h := range files {
			file, err := h.Open()
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(file); err != nil || !bytes.Equal(b, picture) {
				t.Errorf("the picture came as %q, %v", b, err)
			}
			file.Close()
		}
	})
}
