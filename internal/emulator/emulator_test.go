package emulator

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/imaging"
)

const key = "xai-CANARY-0123456789"

// aPNG is a picture to edit, and aMask a mask that lets its left half change.
var aPNG, aMask = func() (a, m []byte) {
	pic, mask := image.NewNRGBA(image.Rect(0, 0, 48, 32)), image.NewNRGBA(image.Rect(0, 0, 48, 32))
	for y := range 32 {
		for x := range 48 {
			pic.Set(x, y, color.NRGBA{byte(5 * x), byte(8 * y), 90, 255})
			mask.Set(x, y, color.NRGBA{0, 0, 0, map[bool]byte{true: 0, false: 255}[x < 24]})
		}
	}
	return encode(pic), encode(mask)
}()

func encode(m image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// serve starts an emulator.
func serve(t *testing.T, cfg Config) (*Server, string) {
	t.Helper()
	s := New(cfg)
	h := httptest.NewUnstartedServer(nil)
	h.Config = s.HTTP()
	h.Start()
	t.Cleanup(h.Close)
	return s, h.URL
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	reply  reply
}

type reply struct {
	Created int64
	Model   string
	Usage   usage
	Code    string
	Error   string
	Data    []struct {
		URL               *string
		B64               string `json:"b64_json"`
		MIME              string `json:"mime_type"`
		RevisedPrompt     string `json:"revised_prompt"`
		RespectModeration *bool  `json:"respect_moderation"`
	}
}

func read(t *testing.T, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: b}
	json.Unmarshal(b, &a.reply) // not every answer is JSON
	return a
}

// record sends a recorded request as it is: same bytes, no client in between.
func record(t *testing.T, url, name, key string) answer {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "wire", "requests", name))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for strings.HasPrefix(text, "#") {
		_, text, _ = strings.Cut(text, "\n")
	}
	head, body, _ := strings.Cut(text, "\n\n")
	host := strings.TrimPrefix(url, "http://")
	head = strings.ReplaceAll(head, "\n", "\r\n") + "\r\nHost: " + host + "\r\n"
	if strings.Contains(head, "multipart") {
		body = strings.ReplaceAll(body, "\n", "\r\n")
	}
	pics := strings.NewReplacer("{{a.png}}", string(aPNG), "{{mask.png}}", string(aMask), "{{a.png base64}}", base64.StdEncoding.EncodeToString(aPNG), "{{key}}", key)
	head, body = pics.Replace(head), pics.Replace(body)
	if strings.Contains(head, "chunked") {
		var chunks strings.Builder
		for rest := body; rest != ""; {
			n := min(len(rest), 100)
			fmt.Fprintf(&chunks, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		body = chunks.String() + "0\r\n\r\n"
	} else {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, head+"\r\n"+body)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

// post sends a JSON body.
func post(t *testing.T, url, path, body string) answer {
	t.Helper()
	resp, err := http.Post(url+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

func get(t *testing.T, url string) answer {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

const generations, edits = "/v1/images/generations", "/v1/images/edits"

// small asks for an edit of a small picture: its reply is quick to draw.
func small(more string) string {
	return `{"prompt":"a lake at night","image":"data:image/png;base64,` + base64.StdEncoding.EncodeToString(aPNG) + `"` + more + `}`
}

func TestRecordedRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		documented string // what is answered: images, pixels, price; or an error
		current    string
	}{
		{"page_curl_generate.http", "1 of 1024x1024 png, 200000000", "400 Argument not supported: size"},
		{"openai_node_generate.http", "4 of 1792x1024 png, 800000000", "400 Argument not supported: size"},
		{"openai_node_edit.http", "1 of 1024x1024 png, 220000000", "415 Expected request with `Content-Type: application/json`"},
		{"openai_node_edit_array.http", "2 of 48x32 png, 440000000", "415 Expected request with `Content-Type: application/json`"},
		{"go_openai_edit_empty_parts.http", "1 of 48x32 png, 220000000", "415 Expected request with `Content-Type: application/json`"},
		{"ai_sdk_generate.http", "400 Argument not supported: quality", "1 of 1184x880 jpeg, 600000000"},
		{"ai_sdk_edit.http", "1 of 48x32 png, 220000000", "1 of 48x32 jpeg, 220000000"},
		{"ai_sdk_edit_two.http", "1 of 1024x1024 png, 800000000", "1 of 1024x1024 jpeg, 800000000"},
		{"image_url_alias_edit.http", "1 of 48x32 png, 260000000", "1 of 48x32 jpeg, 260000000"},
	} {
		for profile, want := range map[string]string{"documented": tt.documented, "current": tt.current} {
			t.Run(profile+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				s, url := serve(t, Config{Profile: profile, Key: key})
				a := record(t, url, tt.name, key)
				got := fmt.Sprintf("%d %s", a.status, a.reply.Error)
				if a.status == 200 {
					var b []byte
					if d := a.reply.Data[0]; d.URL != nil {
						if !strings.HasPrefix(*d.URL, url+"/images/") {
							t.Errorf("not on the host that was asked: %s", *d.URL)
						}
						b = get(t, *d.URL).body
					} else {
						b, _ = base64.StdEncoding.DecodeString(d.B64)
					}
					_, info, err := imaging.Decode(b, imaging.DefaultLimits)
					if err != nil {
						t.Fatal(err)
					}
					got = fmt.Sprintf("%d of %dx%d %s, %d", len(a.reply.Data), info.Width, info.Height, info.Format, a.reply.Usage.Ticks)
					for _, d := range a.reply.Data {
						if d.MIME != info.MIME || d.RevisedPrompt == "" || !*d.RespectModeration {
							t.Errorf("%+v", d)
						}
					}
				}
				if got != want {
					t.Errorf("%s, want %s", got, want)
				}
				if st := s.Stats(); st.Ticks != a.reply.Usage.Ticks || st.Images != len(a.reply.Data) || st.Requests != 1 {
					t.Errorf("%+v", st)
				}
			})
		}
	}
}

func TestReplyOfThePage(t *testing.T) {
	t.Parallel()
	_, url := serve(t, Config{})
	a := record(t, url, "page_curl_generate.http", "any")
	if a.reply.Created != 1699000000 || a.reply.Data[0].RevisedPrompt != "A detailed serene mountain landscape with a lake" || a.reply.Model != "grok-imagine-image" {
		t.Errorf("%s", a.body)
	}
	if a.header.Get("Content-Type") != "application/json" || a.header.Get("X-Request-Id") == "" {
		t.Errorf("%v", a.header)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s, url := serve(t, Config{Key: key, Log: &log})
	if a := record(t, url, "page_curl_generate.http", "wrong-"+key); a.status != 400 || !strings.HasPrefix(a.reply.Error, "Incorrect API key provided: wr***") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := post(t, url, generations, `{"prompt":"p"}`); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := get(t, url+"/v1/models"); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	record(t, url, "page_curl_generate.http", key)
	if st := s.Stats(); len(st.Charges) != 1 || st.Requests != 3 {
		t.Errorf("%+v", st)
	}
	if strings.Contains(log.String(), key) {
		t.Error("the key is in the log")
	}
	want := `{"request":3,"method":"POST","path":"/v1/images/generations","status":200,"model":"grok-imagine-image","prompt":"A serene mountain landscape with a lake","n":1,"ticks":200000000}` + "\n"
	if !strings.HasSuffix(log.String(), want) {
		t.Error(log.String())
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	pic := func(b []byte) string { return `"data:image/png;base64,` + base64.StdEncoding.EncodeToString(b) + `"` }
	other := encode(image.NewNRGBA(image.Rect(0, 0, 47, 32)))
	for _, tt := range []struct {
		profile, path, body string
		status              int
		text                string
	}{
		{"", generations, `{`, 400, "not a JSON object"},
		{"", generations, `[]`, 400, "not a JSON object"},
		{"", generations, `{"prompt":"` + strings.Repeat("x", maxField+1) + `"}`, 400, "prompt is too long"},
		{"openai", generations, `{"prompt":"` + strings.Repeat("x", maxField+1) + `"}`, 400, ""},
		{"", generations, `{}`, 422, "missing field `prompt`"},
		{"", generations, `{"prompt":"p","model":"dall-e-3"}`, 404, "The model dall-e-3 does not exist"},
		{"", generations, `{"prompt":"p","n":0}`, 400, "n must be between 1 and 10, got 0"},
		{"", generations, `{"prompt":"p","n":11}`, 400, "n must be between 1 and 10, got 11"},
		{"", generations, `{"prompt":"p","n":1.5}`, 400, "n must be"},
		{"", generations, `{"prompt":"p","size":"512x512"}`, 400, "size 512x512 is not supported"},
		{"", generations, `{"prompt":"p","aspect_ratio":"5:4"}`, 400, "aspect_ratio 5:4"},
		{"", generations, `{"prompt":"p","aspect_ratio":"21:9"}`, 400, "aspect_ratio 21:9"},
		{"", generations, `{"prompt":"p","style":"loud"}`, 400, "style loud"},
		{"", generations, `{"prompt":"p","response_format":"tiff"}`, 400, "response_format tiff"},
		{"", generations, `{"prompt":"p","quality":"low"}`, 400, "Argument not supported: quality"},
		{"current", generations, `{"prompt":"p","style":"vivid"}`, 400, "Argument not supported: style"},
		{"current", generations, `{"prompt":"p","seed":1}`, 400, "Argument not supported: seed"},
		{"current", generations, `{"prompt":"p","quality":"low"}`, 400, "Argument not supported: quality"},
		{"current", generations, `{"prompt":"p","model":"grok-imagine-image-2.0","quality":"max"}`, 400, "Argument not supported: quality"},
		{"current", generations, `{"prompt":"p","resolution":"4k"}`, 400, "resolution 4k"},
		{"current", edits, small(`,"mask":` + pic(aMask)), 400, "Argument not supported: mask"},
		{"", edits, `{"prompt":"p"}`, 400, "an edit takes 1 to 3 images, got 0"},
		{"", edits, `{"prompt":"p","image":` + pic(aPNG) + `,"images":[]}`, 400, "exclude each other"},
		{"", edits, `{"prompt":"p","image":"https://example.com/a.png"}`, 400, "only data URLs"},
		{"", edits, `{"prompt":"p","image":{"file_id":"f"}}`, 400, "no files"},
		{"", edits, `{"prompt":"p","image":5}`, 400, "neither a string nor an object"},
		{"", edits, `{"prompt":"p","image":"data:image/png;base64,!"}`, 400, "base64"},
		{"", edits, `{"prompt":"p","image":` + pic([]byte("GIF89a")) + `}`, 400, "image 0: "},
		{"", edits, small(`,"mask":` + pic(other)), 400, "mask: 47x32 pixels, the image has 48x32"},
		{"", edits, small(`,"mask":` + pic([]byte("x"))), 400, "mask: not a PNG"},
		{"", "/v1/images/variations", `{}`, 405, ""},
	} {
		s, url := serve(t, Config{Profile: tt.profile})
		a := post(t, url, tt.path, tt.body)
		if a.status != tt.status || !strings.Contains(a.reply.Error, tt.text) {
			t.Errorf("%s: %d %s, want %d %s", tt.body[:min(len(tt.body), 80)], a.status, a.body, tt.status, tt.text)
		}
		if st := s.Stats(); st.Ticks != 0 {
			t.Errorf("%s was billed", tt.body[:min(len(tt.body), 80)])
		}
	}
	_, url := serve(t, Config{})
	resp, err := http.Post(url+generations, "multipart/form-data; boundary=X", strings.NewReader("--X--\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if a := read(t, resp); a.status != 415 {
		t.Errorf("a form as generation: %d", a.status)
	}
}

// TestPictures: the same on every server, different for every roll, and outside
// of a mask unchanged.
func TestPictures(t *testing.T) {
	t.Parallel()
	ask := func(url, more string) []string {
		a := post(t, url, edits, small(`,"n":2,"response_format":"b64_json"`+more))
		if a.status != 200 {
			t.Fatalf("%s", a.body)
		}
		return []string{a.reply.Data[0].B64, a.reply.Data[1].B64}
	}
	_, one := serve(t, Config{})
	_, two := serve(t, Config{})
	first, again, other := ask(one, ""), ask(one, ""), ask(two, "")
	if d := cmp.Diff(first, other); d != "" {
		t.Error("two servers differ")
	}
	if first[0] == first[1] || first[0] == again[0] || first[1] == again[1] {
		t.Error("two rolls are equal")
	}

	masked := ask(one, `,"mask":"data:image/png;base64,`+base64.StdEncoding.EncodeToString(aMask)+`"`)
	b, _ := base64.StdEncoding.DecodeString(masked[0])
	got, _, err := imaging.Decode(b, imaging.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	was, _, _ := imaging.Decode(aPNG, imaging.DefaultLimits)
	changed := 0
	for i := range was.Pix() {
		same := got.Pix()[i] == was.Pix()[i]
		if x := i / 4 % 48; x >= 24 && !same {
			t.Fatalf("pixel %d,%d changed outside of the mask", x, i/4/48)
		}
		if !same {
			changed++
		}
	}
	if changed == 0 {
		t.Error("nothing changed inside of the mask")
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700000000, 0)
	_, url := serve(t, Config{Expire: time.Hour, Now: func() time.Time { return now }})
	a := post(t, url, edits, small(""))
	pic := *a.reply.Data[0].URL
	if b := get(t, pic); b.status != 200 || b.header.Get("Content-Type") != "image/png" || imaging.Sniff(b.body) != "png" {
		t.Errorf("%d %v", b.status, b.header)
	}
	if b, c := get(t, pic), get(t, pic); !bytes.Equal(b.body, c.body) {
		t.Error("the same URL gives two pictures")
	}
	if b := get(t, url+"/images/0.png"); b.status != 404 {
		t.Errorf("%d", b.status)
	}
	now = now.Add(time.Hour + 1)
	if b := get(t, pic); b.status != 403 {
		t.Errorf("expired: %d", b.status)
	}
	// A client that calls the server by another name gets URLs with that name.
	req, _ := http.NewRequest("POST", url+edits, strings.NewReader(small("")))
	req.Header.Set("Content-Type", "application/json")
	req.Host = "images.test:81"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if a := read(t, resp); !strings.HasPrefix(*a.reply.Data[0].URL, "http://images.test:81/images/") {
		t.Error(*a.reply.Data[0].URL)
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	_, url := serve(t, Config{})
	for _, list := range []struct{ path, field string }{{"/v1/models", "data"}, {"/v1/image-generation-models", "models"}} {
		var all map[string]json.RawMessage
		var models []catalogued
		json.Unmarshal(get(t, url+list.path).body, &all)
		if err := json.Unmarshal(all[list.field], &models); err != nil || len(models) != 3 {
			t.Errorf("%s: %d, %v", list.path, len(models), err)
		}
	}
	var m catalogued
	json.Unmarshal(get(t, url+"/v1/image-generation-models/grok-imagine-image-2.0").body, &m)
	want := []pricing{
		{"low", "1.5k", 6e8}, {"medium", "1.5k", 8e8}, {"low", "1k", 4e8}, {"medium", "1k", 6e8}, {"low", "2k", 6e8}, {"medium", "2k", 8e8},
	}
	if d := cmp.Diff(want, m.Pricing); d != "" {
		t.Error(d)
	}
	if a := get(t, url+"/v1/models/grok-imagine-image-pro"); a.status != 200 {
		t.Errorf("alias: %d", a.status)
	}
	if a := get(t, url+"/v1/models/dall-e-3"); a.status != 404 {
		t.Errorf("unknown: %d", a.status)
	}
}

func TestPixels(t *testing.T) {
	t.Parallel()
	for _, ratio := range ratios {
		for _, resolution := range []string{"1k", "1.5k", "2k"} {
			w, h := pixels(ratio, resolution, "current")
			if area := areas[resolution] * areas[resolution]; w%16 != 0 || h%16 != 0 || float64(w*h) < 0.97*area || float64(w*h) > 1.03*area {
				t.Errorf("%s %s: %dx%d", ratio, resolution, w, h)
			}
		}
	}
}

// TestFaults: what each fault does to a client, and what it costs.
func TestFaults(t *testing.T) {
	t.Parallel()
	const edited = 220000000
	for name, tt := range map[string]struct {
		do     string
		want   string // status and body, or the error of the client
		ticks  int64
		images int
	}{
		"status":              {`{"status":503}`, `503 {"code":"503","error":"Service Unavailable"}`, 0, 0},
		"status and text":     {`{"status":500,"body":"upstream","billed":true}`, "500 upstream", edited, 1},
		"status and JSON":     {`{"status":429,"body":{"error":{"code":"x"}},"retry_after":"3"}`, `429 {"error":{"code":"x"}} after 3`, 0, 0},
		"before-read":         {`{"drop":"before-read"}`, "EOF", 0, 0},
		"after-request":       {`{"drop":"after-request"}`, "EOF", edited, 1},
		"after-request, free": {`{"drop":"after-request","billed":false}`, "EOF", 0, 0},
		"reset":               {`{"drop":"reset"}`, "reset", edited, 1},
		"mid-body":            {`{"drop":"mid-body"}`, "unexpected EOF", edited, 1},
		"truncate":            {`{"truncate":30}`, "unexpected EOF", edited, 1},
		"moderated 400":       {`{"moderated":"400"}`, `400 {"code":"Client specified an invalid argument","error":"Generated image rejected by content moderation.","usage":{"cost_in_usd_ticks":220000000}}`, edited, 1},
		"moderated 400, free": {`{"moderated":"400","billed":false}`, `400 {"code":"Client specified an invalid argument","error":"Generated image rejected by content moderation."}`, 0, 0},
		"moderated flag":      {`{"moderated":"flag"}`, `200 {"created":1699000000,"data":[{"respect_moderation":false}],"model":"grok-imagine-image","usage":{"cost_in_usd_ticks":220000000}}`, edited, 1},
		"moderated empty":     {`{"moderated":"empty"}`, `200 {"created":1699000000,"data":[],"model":"grok-imagine-image","usage":{"cost_in_usd_ticks":220000000}}`, edited, 1},
		"too few":             {`{"n":0}`, `200 {"created":1699000000,"data":[],"model":"grok-imagine-image","usage":{"cost_in_usd_ticks":20000000}}`, 20000000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults, err := ParseFaults([]byte(`[{"do":` + tt.do + `}]`))
			if err != nil {
				t.Fatal(err)
			}
			s, url := serve(t, Config{Faults: faults})
			got := ""
			resp, err := http.Post(url+edits, "application/json", strings.NewReader(small("")))
			var body []byte
			if err == nil {
				body, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			switch {
			case errors.Is(err, syscall.ECONNRESET):
				got = "reset"
			case errors.Is(err, io.ErrUnexpectedEOF):
				got = "unexpected EOF"
			case errors.Is(err, io.EOF):
				got = "EOF"
			case err != nil:
				got = err.Error()
			default:
				got = fmt.Sprintf("%d %s", resp.StatusCode, bytes.TrimSpace(body))
				if after := resp.Header.Get("Retry-After"); after != "" {
					got += " after " + after
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if st := s.Stats(); st.Requests != 1 || st.Ticks != tt.ticks || st.Images != tt.images {
				t.Errorf("%+v", st)
			}
		})
	}
}

// TestPictureFaults: the reply is good, the picture is not. They may be asked
// for at either end.
func TestPictureFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do, want string
		get      bool // can match the download too
	}{
		"html":        {`{"html":true}`, "200 text/html", true},
		"corrupt":     {`{"corrupt":true}`, "200 image/png broken", true},
		"wrong_size":  {`{"wrong_size":true}`, "200 image/png 24x16", false},
		"expired":     {`{"expired":true}`, "403 text/plain; charset=utf-8", true},
		"placeholder": {`{"moderated":"placeholder"}`, "200 image/png 48x32", false},
		"too many":    {`{"n":3}`, "200 image/png 48x32", false},
	} {
		for _, path := range []string{edits, "/images/"} {
			if path != edits && !tt.get {
				continue
			}
			t.Run(name+" "+path, func(t *testing.T) {
				t.Parallel()
				faults, err := ParseFaults(fmt.Appendf(nil, `[{"match":{"path":%q},"do":%s}]`, path, tt.do))
				if err != nil {
					t.Fatal(err)
				}
				_, url := serve(t, Config{Faults: faults})
				reply := post(t, url, edits, small("")).reply
				if name == "too many" && len(reply.Data) != 3 || *reply.Data[0].RespectModeration != (name != "placeholder") {
					t.Errorf("%+v", reply)
				}
				a := get(t, *reply.Data[0].URL)
				got := fmt.Sprintf("%d %s", a.status, a.header.Get("Content-Type"))
				if strings.HasSuffix(got, "png") {
					if _, info, err := imaging.Decode(a.body, imaging.DefaultLimits); err != nil {
						got += " broken"
					} else {
						got += fmt.Sprintf(" %dx%d", info.Width, info.Height)
					}
				}
				if got != tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}
			})
		}
	}
	t.Run("dropped downloads", func(t *testing.T) {
		t.Parallel()
		faults, err := ParseFaults([]byte(`[
			{"match": {"path": "/images/", "nth": 1}, "do": {"drop": "before-read"}},
			{"match": {"path": "/images/", "nth": 2}, "do": {"drop": "mid-body"}},
			{"match": {"path": "/images/*", "nth": 3}, "do": {"status": 500}},
			{"match": {"path": "/images/*", "nth": 4}, "do": {"drop": "reset"}}]`))
		if err != nil {
			t.Fatal(err)
		}
		s, url := serve(t, Config{Faults: faults})
		// Neither kept connections nor the client's own second try: five downloads are five.
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		pic := *post(t, url, edits, small("")).reply.Data[0].URL
		var got []string
		for range 5 {
			resp, err := client.Get(pic)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if err != nil {
				got = append(got, "broken")
			} else {
				got = append(got, resp.Status)
			}
		}
		if d := cmp.Diff([]string{"broken", "broken", "500 Internal Server Error", "broken", "200 OK"}, got); d != "" {
			t.Error(d)
		}
		if st := s.Stats(); st.Fetches != 5 || st.Images != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// TestStatusForNonsense: a scripted status answers even what is not understood,
// and does not bill it.
func TestStatusForNonsense(t *testing.T) {
	t.Parallel()
	faults, err := ParseFaults([]byte(`[{"do":{"status":401,"billed":true}}]`))
	if err != nil {
		t.Fatal(err)
	}
	s, url := serve(t, Config{Faults: faults})
	for _, body := range []string{``, `{}`, `{"prompt":"p","n":99}`} {
		if a := post(t, url, generations, body); a.status != 401 {
			t.Errorf("%q: %d", body, a.status)
		}
	}
	if st := s.Stats(); st.Requests != 3 || len(st.Charges) != 0 {
		t.Errorf("%+v", st)
	}
}

// TestScript: which entry takes effect when.
func TestScript(t *testing.T) {
	t.Parallel()
	faults, err := ParseFaults([]byte(`[
		{"match": {"prompt_contains": "never"}, "do": {"status": 401}},
		{"match": {"path": "/v1/images/edits", "nth": 2}, "do": {"status": 402}},
		{"match": {"prompt_contains": "lake"}, "times": 2, "do": {"status": 429}},
		{"match": {"path": "/v1/images/*", "nth": 4}, "do": {"status": 503}}]`))
	if err != nil {
		t.Fatal(err)
	}
	_, url := serve(t, Config{Faults: faults})
	var got []int
	for range 6 {
		got = append(got, post(t, url, edits, small("")).status)
	}
	if d := cmp.Diff([]int{429, 402, 429, 503, 200, 200}, got); d != "" {
		t.Error(d)
	}
}

// TestTime: delays and silence, without waiting for them.
func TestTime(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do    string
		took  time.Duration
		ticks int64
	}{
		"delay":          {`{"delay":"90s"}`, 90 * time.Second, 220000000},
		"delay too long": {`{"delay":"1h"}`, 10 * time.Minute, 0},
		"silent":         {`{"silent":true}`, 10 * time.Minute, 220000000},
		"silent, free":   {`{"silent":true,"billed":false}`, 10 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				faults, err := ParseFaults([]byte(`[{"do":` + tt.do + `}]`))
				if err != nil {
					t.Fatal(err)
				}
				s := New(Config{Faults: faults})
				timeout := 10 * time.Minute
				start := time.Now()
				req := httptest.NewRequest("POST", edits, strings.NewReader(small("")))
				req.Header.Set("Content-Type", "application/json")
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				func() {
					defer func() {
						if r := recover(); r != nil && r != http.ErrAbortHandler {
							panic(r)
						}
					}()
					s.ServeHTTP(httptest.NewRecorder(), req.WithContext(ctx))
				}()
				if took := time.Since(start); took != tt.took || s.Stats().Ticks != tt.ticks {
					t.Errorf("%s, %+v", took, s.Stats())
				}
			})
		})
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		``, `{}`, `[{"do":{"statu":500}}]`, `[{"do":{"status":99}}]`, `[{"do":{"drop":"never"}}]`, `[{"do":{"moderated":"no"}}]`,
		`[{"do":{"delay":"soon"}}]`, `[{"do":{"delay":"-1s"}}]`, `[{"do":{"n":-1}}]`, `[{"do":{"drip":"-1s"}}]`, `[{"do":{"pending":-1}}]`, `[{"do":{"ready_after":"-1s"}}]`, `[{"do":{"job":"lost"}}]`,
		`[{"match":{"method":"PUT"}}]`, `[{"times":-1}]`, `[{"match":{"path":"["}}]`,
		`[{"match":{"prompt_contains":"x"},"do":{"drop":"before-read"}}]`,
	} {
		if f, err := ParseFaults([]byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "faults: ") {
			t.Errorf("%s: %+v, %v", bad, f, err)
		}
	}
	if f, err := ParseFaults([]byte(`[]`)); err != nil || len(f) != 0 {
		t.Error(f, err)
	}
}

func TestStatsRoute(t *testing.T) {
	t.Parallel()
	_, url := serve(t, Config{})
	if got := string(get(t, url+"/_emulator/stats").body); got != `{"requests":0,"polls":0,"fetches":0,"images":0,"ticks":0,"charges":[]}`+"\n" {
		t.Error(got)
	}
	post(t, url, edits, small(`,"n":2`))
	want := `{"requests":1,"polls":0,"fetches":0,"images":2,"ticks":420000000,"charges":[{"request":1,"path":"/v1/images/edits","prompt":"a lake at night","images":2,"ticks":420000000}]}` + "\n"
	if d := cmp.Diff(want, string(get(t, url+"/_emulator/stats").body)); d != "" {
		t.Error(d)
	}
}

// TestForget: the oldest pictures go before memory does.
func TestForget(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	s.images.most = 5 << 10
	for i := range 5 {
		b := make([]byte, 1<<10)
		p := &picturefile{draw: func() ([]byte, error) { return b, nil }}
		if err := s.keep(fmt.Sprint(i), p, true); err != nil {
			t.Fatal(err)
		}
	}
	_, newest := s.images.get("4")
	_, next := s.images.get("3")
	if len(s.images.things) != 2 || !newest || !next || s.images.bytes > s.images.most {
		t.Errorf("%d kept, %d bytes", len(s.images.things), s.images.bytes)
	}
}

// BenchmarkGenerate is a request for one image by URL, which is not drawn.
func BenchmarkGenerate(b *testing.B) {
	s := New(Config{})
	for b.Loop() {
		req := httptest.NewRequest("POST", generations, strings.NewReader(`{"prompt":"a lake"}`))
		req.Header.Set("Content-Type", "application/json")
		s.ServeHTTP(httptest.NewRecorder(), req)
	}
}

// TestDrip: thirty-two pieces, a pause before each, whatever is sent; a client
// that has had enough gets no more.
func TestDrip(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		path, kind string
		body       []byte
	}{
		"REST":     {edits, "application/json", []byte(small(""))},
		"deferred": {edits, "application/json", []byte(small(`,"deferred":true`))},
		"gRPC":     {rpc, "application/grpc", frame(message(t, "sdk_edit.hex"))},
	} {
		for _, patience := range []time.Duration{time.Hour, 10 * time.Second} {
			t.Run(fmt.Sprint(name, patience), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					faults, err := ParseFaults([]byte(`[{"do":{"drip":"1s"}}]`))
					if err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					req := httptest.NewRequestWithContext(ctx, "POST", tt.path, bytes.NewReader(tt.body))
					req.Header.Set("Content-Type", tt.kind)
					start, w := time.Now(), httptest.NewRecorder()
					func() {
						defer func() {
							if r := recover(); r != nil && r != http.ErrAbortHandler {
								panic(r)
							}
						}()
						New(Config{Faults: faults}).ServeHTTP(w, req)
					}()
					took := time.Since(start).Truncate(time.Second)
					if patience == time.Hour && (took < 20*time.Second || took > 32*time.Second) || patience != time.Hour && took != patience {
						t.Errorf("%s, %d bytes", took, w.Body.Len())
					}
				})
			})
		}
	}
}

// TestRedirect: of an image, asked for at either end, and of the request itself.
func TestRedirect(t *testing.T) {
	t.Parallel()
	const elsewhere = "http://192.0.2.1/other.png"
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, tt := range []struct{ match, do, post, get string }{
		{edits, `{"redirect":"` + elsewhere + `"}`, "200 ", "302 " + elsewhere},
		{"/images/", `{"redirect":"` + elsewhere + `"}`, "200 ", "302 " + elsewhere},
		{"/images/", `{"status":307,"redirect":"` + elsewhere + `"}`, "200 ", "307 " + elsewhere},
		{edits, `{"status":308,"redirect":"/v2/images/edits"}`, "308 /v2/images/edits", ""},
	} {
		faults, err := ParseFaults(fmt.Appendf(nil, `[{"match":{"path":%q},"do":%s}]`, tt.match, tt.do))
		if err != nil {
			t.Fatal(err)
		}
		_, url := serve(t, Config{Faults: faults})
		resp, err := client.Post(url+edits, "application/json", strings.NewReader(small("")))
		if err != nil {
			t.Fatal(err)
		}
		a := read(t, resp)
		if got := fmt.Sprintf("%d %s", a.status, a.header.Get("Location")); got != tt.post {
			t.Errorf("%s: %s, want %s", tt.do, got, tt.post)
		}
		if tt.get == "" {
			continue
		}
		resp, err = client.Get(*a.reply.Data[0].URL)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%d %s", resp.StatusCode, resp.Header.Get("Location")); got != tt.get {
			t.Errorf("%s: %s, want %s", tt.do, got, tt.get)
		}
		resp.Body.Close()
	}
}

// TestPages: HTML in the place of an answer, and in base64 in that of a picture.
func TestPages(t *testing.T) {
	t.Parallel()
	faults, err := ParseFaults([]byte(`[{"times":1,"do":{"status":502,"html":true}},{"do":{"html":true}}]`))
	if err != nil {
		t.Fatal(err)
	}
	_, url := serve(t, Config{Faults: faults})
	if a := post(t, url, edits, small("")); a.status != 502 || a.header.Get("Content-Type") != "text/html" || string(a.body) != page {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	a := post(t, url, edits, small(`,"response_format":"b64_json"`))
	if b, _ := base64.StdEncoding.DecodeString(a.reply.Data[0].B64); string(b) != page {
		t.Errorf("%s", a.body)
	}
}

// TestQuietRoutes: what tells about the server takes a key, goes into the log,
// and goes wrong only where its path is named.
func TestQuietRoutes(t *testing.T) {
	t.Parallel()
	faults, err := ParseFaults([]byte(`[{"do":{"status":500}},{"match":{"path":"/v1/me"},"times":1,"do":{"status":403}},{"match":{"path":"/v1/models"},"times":1,"do":{"drop":"after-request"}}]`))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	_, url := serve(t, Config{Key: key, Faults: faults, Log: &log})
	ask := func(path, key string) string {
		req, _ := http.NewRequest("GET", url+path, nil)
		if key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		req.Close = true
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return "broken"
		}
		a := read(t, resp)
		return fmt.Sprintf("%d %.40s", a.status, a.body)
	}
	for _, tt := range [][3]string{
		{"/v1/api-key", "", `401 {"code":"unauthenticated:no-credentials"`},
		{"/v1/api-key", "wrong", `400 {"code":"Client specified an invalid arg`},
		{"/v1/api-key", key, `200 {"redacted_api_key":"xai-...","api_key_i`},
		{"/v1/me", key, `403 {"code":"403","error":"Forbidden"}`},
		{"/v1/me", key, `200 {"team_id":"emulated-team","user_id":"em`},
		{"/v1/models", key, "broken"},
		{"/v1/models", key, `200 {"data":[{"id":"grok-imagine-image","ali`},
		{"/v1/image-generation-models/x", key, `404 {"code":"Some requested entity was not f`},
	} {
		if got := strings.TrimSpace(ask(tt[0], tt[1])); got != tt[2] {
			t.Errorf("%s: %s, want %s", tt[0], got, tt[2])
		}
	}
	want := `{"method":"GET","path":"/v1/api-key","status":401,"error":"No credentials were sent. Obtain an API key from https://console.x.ai."}
{"method":"GET","path":"/v1/api-key","status":400,"error":"Incorrect API key provided: wr***. You can obtain an API key from https://console.x.ai."}
{"method":"GET","path":"/v1/api-key","status":200}
{"method":"GET","path":"/v1/me","status":403,"fault":true}
{"method":"GET","path":"/v1/me","status":200}
{"method":"GET","path":"/v1/models","fault":true}
{"method":"GET","path":"/v1/models","status":200}
{"method":"GET","path":"/v1/image-generation-models/x","status":404,"error":"The model does not exist."}
`
	if d := cmp.Diff(want, log.String()); d != "" {
		t.Error(d)
	}
}

// FuzzRequests: nothing that is sent makes the server panic.
func FuzzRequests(f *testing.F) {
	for _, name := range []string{"minimal.hex", "sdk_sample_batch.hex", "sdk_edit_two.hex"} {
		f.Add(byte(3), frame(message(f, name)))
	}
	f.Add(byte(0), []byte(`{"prompt":"p","n":2,"deferred":true,"aspect_ratio":"16:9"}`))
	f.Add(byte(1), []byte(small(`,"mask":null,"images":[{"image_url":{"url":"data:"}}]`)))
	f.Add(byte(2), []byte("--X\r\nContent-Disposition: form-data; name=\"image[]\"\r\n\r\ndata:image/png;base64,AAAA\r\n--X--\r\n"))
	routes := [][2]string{{generations, "application/json"}, {edits, "application/json"}, {edits, "multipart/form-data; boundary=X"}, {rpc, "application/grpc"}}
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		route := routes[int(which)%len(routes)]
		for _, profile := range Profiles {
			req := httptest.NewRequest("POST", route[0], bytes.NewReader(body))
			req.Header.Set("Content-Type", route[1])
			w := httptest.NewRecorder()
			New(Config{Profile: profile}).ServeHTTP(w, req)
			if w.Code >= 500 {
				t.Errorf("%s: %d %s", profile, w.Code, w.Body)
			}
		}
	})
}
