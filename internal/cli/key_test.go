package cli_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// echoing is a hostile server: whatever it is asked, it gives the key back, in
// many forms, in each header and field that a client may read.
type echoing struct {
	saw atomic.Int32 // requests that had the key
}

func (e *echoing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	auth := r.Header.Get("Authorization")
	key := strings.TrimPrefix(auth, "Bearer ")
	if key != "" {
		e.saw.Add(1)
	}
	escaped := ""
	for _, c := range []byte(key) {
		escaped += fmt.Sprintf("%%%02x", c)
	}
	forms := []string{
		auth, strings.ToUpper(key), url.QueryEscape(auth), escaped, base64.StdEncoding.EncodeToString([]byte(auth)), base64.RawURLEncoding.EncodeToString([]byte(key)),
		hex.EncodeToString([]byte(key)), key[:len(key)/2] + "\n" + key[len(key)/2:],
	}
	form := forms[int(e.saw.Load())%len(forms)]
	line := strings.ReplaceAll(form, "\n", " ")
	for _, name := range []string{"X-Request-Id", "Retry-After", "Location", "Server", "Warning", "Set-Cookie", "Content-Type"} {
		w.Header().Set(name, line)
	}
	text, _ := json.Marshal(form)
	host := "http://" + r.Host
	says := func(words string) bool { return strings.Contains(string(body), words) }
	switch {
	case strings.HasSuffix(r.URL.Path, "/image-generation-models"):
		fmt.Fprintf(w, `{"models":[{"id":%s,"aliases":[%[1]s]}]}`, text)
	case strings.HasPrefix(r.URL.Path, "/xai_api."):
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "3")
		w.Header().Set("Grpc-Message", url.PathEscape(form))
	case r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/gone"):
		w.WriteHeader(404)
		io.WriteString(w, form)
	case r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/moved"):
		w.WriteHeader(302)
	case r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/page"):
		io.WriteString(w, "<html>"+form)
	case r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/picture"):
		w.Write(echoPicture)
	case says("reject"):
		w.WriteHeader(400)
		fmt.Fprintf(w, `{"code":%s,"error":%[1]s}`, text)
	case says("nested"):
		w.WriteHeader(422)
		fmt.Fprintf(w, `{"error":{"message":%s,"type":%[1]s,"code":%[1]s,"param":%[1]s}}`, text)
	case says("break"):
		w.WriteHeader(500)
		io.WriteString(w, form)
	case says("redirect"):
		w.WriteHeader(308)
	case says("job"):
		w.WriteHeader(202)
		fmt.Fprintf(w, `{"request_id":%s,"status":%[1]s}`, text)
	case says("cut"):
		w.Header().Set("Content-Length", "99999")
		fmt.Fprintf(w, `{"data":[{"url":"%s/gone","revised_prompt":%s},`, host, text)
	case says("moderate"):
		fmt.Fprintf(w, `{"data":[{"url":"%s/picture?k=%s","respect_moderation":false,"revised_prompt":%s}]}`, host, url.QueryEscape(line), text)
	case says("address"):
		fmt.Fprintf(w, `{"data":[{"url":"%s/picture?k=%s","revised_prompt":%s}]}`, host, url.QueryEscape(line), text)
	case says("gone"), says("moved"), says("page"):
		name := "gone"
		if says("moved") {
			name = "moved"
		} else if says("page") {
			name = "page"
		}
		fmt.Fprintf(w, `{"model":%s,"data":[{"url":"%s/%s","mime_type":%[1]s,"revised_prompt":%[1]s}]}`, text, host, name)
	default:
		fmt.Fprintf(w, `{"model":%s,"data":[{"url":"%s/picture","mime_type":%[1]s,"revised_prompt":%[1]s}],"usage":{"cost_in_usd_ticks":200000000}}`, text, host)
	}
}

// echoPicture has the pixels of 1k.
var echoPicture = func() []byte {
	picture := image.NewNRGBA(image.Rect(0, 0, 1024, 1024))
	for i := range picture.Pix {
		picture.Pix[i] = byte(i / 4096)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		panic(err)
	}
	return b.Bytes()
}()

const keyProject = `provider "xai" {
  endpoint = "ENDPOINT"
  deferred = false
  COMMAND
}
provider "xai" {
  alias    = "job"
  endpoint = "ENDPOINT"
  COMMAND
}
provider "xai" {
  alias     = "grpc"
  endpoint  = "ENDPOINT"
  transport = "grpc"
  COMMAND
}
imgbuild {
  default_provider = provider.xai
  store {
    path = "second"
    keep = "all"
  }
}
image "fine" {
  prompt = "fine"
}
image "bad" {
  for_each = toset(["reject", "nested", "break", "redirect", "cut", "moderate", "address", "gone", "page"])
  prompt   = each.key
}
image "moved" {
  prompt = "moved"
}
image "job" {
  provider = provider.xai.job
  prompt   = "job"
}
image "grpc" {
  provider = provider.xai.grpc
  prompt   = "over grpc"
}
output "revised" {
  value = image.fine.revised_prompt
}
`

// TestKeyShowsNowhere runs every verb that asks a provider, or shows what one
// said, against a server that gives the key back, with a key from each place
// that may hold one, and looks for it in all that is said and written.
func TestKeyShowsNowhere(t *testing.T) {
	for _, from := range []string{"variable", "file", "command"} {
		t.Run(from, func(t *testing.T) {
			server := &echoing{}
			s := httptest.NewUnstartedServer(server)
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetHTTP1(true)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
			s.Start()
			defer s.Close()
			w := watch(t)
			command := ""
			secrets := t.TempDir()
			for name, text := range map[string]string{"key": canary + "\n", "give": "#!/bin/sh\necho " + canary + "\n"} {
				if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			switch from {
			case "variable":
				w.env["XAI_API_KEY"] = canary
			case "file":
				w.env["XAI_API_KEY_FILE"] = filepath.Join(secrets, "key")
			case "command":
				command = `credential_command = ["` + filepath.Join(secrets, "give") + `"]`
			}
			w.write("site.img.hcl", strings.NewReplacer("ENDPOINT", s.URL+"/v1", "COMMAND", command).Replace(keyProject))

			looks := func() {
				for _, args := range [][]string{
					{"validate", "-json"}, {"plan"}, {"plan", "-json", "-verify", "-retry-refused", "-retry-in-doubt"}, {"show"}, {"show", "-json"}, {"output", "-json"},
					{"why", "image.fine"}, {"why", `image.bad["reject"]`}, {"why", `image.bad["address"]`}, {"why", "image.job"}, {"pick", "-json", "image.fine"}, {"graph", "-json"},
					{"verify", "-json"}, {"providers"}, {"providers", "-json"}, {"eval", "-json", "image.fine"}, {"schema", "-json"}, {"fmt", "-diff"}, {"gc", "-dry-run"},
				} {
					w.run(-1, args...)
				}
			}
			looks()
			w.run(-1, "models")
			w.run(-1, "models", "-json")
			w.run(-1, "doctor", "-provider=xai", "-auto-approve")
			w.run(-1, "doctor", "-provider=xai.grpc", "-free", "-json")
			w.run(0, "plan", "-out=saved.json", "-exclude=image.moved")
			w.run(4, "apply", "saved.json")
			looks()
			w.run(-1, "apply", "-auto-approve", "-json", "-exclude=image.moved")
			w.run(-1, "apply", "-auto-approve", "-json-into=events.json", "-retry-refused", "-retry-in-doubt", "-exclude=image.moved")
			w.run(0, "apply", "-auto-approve", "-target=image.fine", "-replace=image.fine")
			looks()
			w.run(-1, "restore")
			w.run(-1, "gc")
			w.run(-1, "apply", "-auto-approve", "-destroy")
			looks()
			if n := server.saw.Load(); n < 30 {
				t.Errorf("the server saw the key %d times: the test shows little", n)
			}
			if b, err := os.ReadFile(filepath.Join(w.dir, "imgbuild.lock.json")); err != nil || len(b) == 0 {
				t.Error("there is no lock:", err)
			}
		})
	}
}
