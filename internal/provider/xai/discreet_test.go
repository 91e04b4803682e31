package xai

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

// disguises are the forms in which a server may give back a word.
var disguises = map[string]func(string) string{
	"plain":          func(s string) string { return s },
	"upper":          strings.ToUpper,
	"lower":          strings.ToLower,
	"reversed":       func(s string) string { b := []byte(s); slices.Reverse(b); return string(b) },
	"header":         func(s string) string { return "Authorization: Bearer " + s },
	"basic":          func(s string) string { return base64.StdEncoding.EncodeToString([]byte("user:" + s)) },
	"base64":         func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 of more": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("Bearer " + s + "; q=1")) },
	"base64 at 2":    func(s string) string { return base64.URLEncoding.EncodeToString([]byte("ab" + s + "ab")) },
	"raw base64":     func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("?" + s)) },
	"hex":            func(s string) string { return hex.EncodeToString([]byte(s)) },
	"HEX":            func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte("Bearer " + s))) },
	"spaced hex":     func(s string) string { return fmt.Sprintf("% x", s) },
	"percent":        func(s string) string { return each(s, "%%%02x") },
	"percent twice":  func(s string) string { return url.QueryEscape(each(s, "%%%02X")) },
	"some percent":   func(s string) string { return strings.ReplaceAll(s, "A", "%41") },
	"JSON":           func(s string) string { return each(s, "\\u%04x") },
	"JSON in JSON":   func(s string) string { b, _ := json.Marshal(each(s, "\\u%04x")); return string(b) },
	"quoted":         func(s string) string { return strconv.Quote(s) },
	"hex escapes":    func(s string) string { return each(s, "\\x%02x") },
	"HTML":           func(s string) string { return each(s, "&#%d;") },
	"HTML in hex":    func(s string) string { return html.EscapeString(each(s, "&#x%x;")) },
	"quoted-print":   func(s string) string { return each(s, "=%02X") },
	"lines":          func(s string) string { return each(s, "%c\n") },
	"halves":         func(s string) string { return s[:9] + "\r\n\t" + s[9:] },
	"dashes":         func(s string) string { return each(s, "%c-") },
	"list":           func(s string) string { return each(s, `"%c", `) },
	"lines of b64": func(s string) string {
		b := base64.StdEncoding.EncodeToString([]byte(s))
		return b[:7] + "\n" + b[7:]
	},
}

func each(s, format string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&out, format, c)
	}
	return out.String()
}

// TestDisguises: the key is seen in each form, and other words are left alone.
func TestDisguises(t *testing.T) {
	t.Parallel()
	long := "xai-" + strings.Repeat("a1B2c3D4", 10)
	for _, key := range []string{canary, "sk_live_51H+/x=9aZ~Q", long} {
		k := NewKey(key)
		for name, f := range disguises {
			for _, around := range []string{"%s", "Incorrect API key provided: %s. Find yours at https://x.ai", "x%sx"} {
				text := fmt.Sprintf(around, f(key))
				if got := k.redact(text); got == text || k.within(got) || strings.Contains(got, key) {
					t.Errorf("%s of %s is shown: %s", name, key, got)
				}
			}
		}
		for _, text := range []string{"", "A red bicycle, 100% new", `{"error":"\u00e9t\u00e9 & more"}`, "https://imgen.x.ai/xai-imgen/xai-tmp-imgen-1234.jpeg?sig=%2Bab%3D", "xai-", key[:8], strings.Repeat("%25", 50)} {
			if got := k.redact(text); got != text {
				t.Errorf("%q becomes %q", text, got)
			}
			if k.inName(text) {
				t.Errorf("%q is said to repeat the key", text)
			}
		}
	}
	short := NewKey("x")
	if got := short.redact("xylophone, base64 eA=="); got != "[key]ylophone, base64 eA==" {
		t.Error(got)
	}
	if (&maker{secrets: []Key{short}}).told("xylophone") != "xylophone" {
		t.Error("a short key spoils what is recorded")
	}
	if (Key{}).redact("a") != "a" || (Key{}).within("a") || (Key{}).inName("a") {
		t.Error("no key is somewhere")
	}
}

// TestEchoes: a server that gives the key back in whatever form, in each field
// and header of its replies, over either transport, in replies, refusals, jobs
// and downloads, gets it nowhere: not to the sink, not into an error.
func TestEchoes(t *testing.T) {
	t.Parallel()
	for name, f := range disguises {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			echo := f(canary)
			line := strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(echo)
			quoted, _ := json.Marshal(echo)
			k := NewKey(canary)
			look := func(what string, reply provider.Reply, err error, s *providertest.Recorder) {
				t.Helper()
				text := fmt.Sprintf("%+v\n%+v\n%q\n%+v", reply, err, s.Events, s.Images)
				var e *provider.Error
				if errors.As(err, &e) {
					text += fmt.Sprintf("\n%+v", *e)
				}
				for piece := range strings.Lines(text) {
					if k.within(piece) {
						t.Errorf("%s: %s", what, piece)
					}
				}
			}
			replies := map[string]http.HandlerFunc{
				"data": func(w http.ResponseWriter, _ *http.Request) {
					fmt.Fprintf(w, `{"model":%s,"data":[{"url":"https://h/a","mime_type":%[1]s,"revised_prompt":%[1]s,"model":%[1]s}]}`, quoted)
				},
				"URL": func(w http.ResponseWriter, _ *http.Request) {
					b, _ := json.Marshal("https://h/?" + line)
					fmt.Fprintf(w, `{"data":[{"url":%s},{"url":"https://h/b"}]}`, b)
				},
				"only URL": func(w http.ResponseWriter, _ *http.Request) {
					b, _ := json.Marshal("https://h/" + line)
					fmt.Fprintf(w, `{"data":[{"url":%s}]}`, b)
				},
				"moderated": func(w http.ResponseWriter, _ *http.Request) {
					b, _ := json.Marshal("https://h/" + line)
					fmt.Fprintf(w, `{"data":[{"url":%s,"respect_moderation":false},{"url":"https://h/b"}]}`, b)
				},
				"base64": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"data":[{"b64_json":%s}]}`, quoted) },
				"flat": func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(400)
					fmt.Fprintf(w, `{"code":%s,"error":%[1]s}`, quoted)
				},
				"nested": func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(401)
					fmt.Fprintf(w, `{"error":{"message":%s,"type":%[1]s,"code":%[1]s}}`, quoted)
				},
				"text": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); io.WriteString(w, echo) },
				"long text": func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(500)
					io.WriteString(w, strings.Repeat("-", 985)+echo)
				},
				"headers": func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("X-Request-Id", line)
					w.Header().Set("Retry-After", line)
					w.WriteHeader(429)
				},
				"redirect": func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Location", "https://h/?k="+line)
					w.WriteHeader(307)
				},
				"job": func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(202)
					fmt.Fprintf(w, `{"request_id":%s,"status":%[1]s}`, quoted)
				},
				"no JSON": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, echo) },
				"no data": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"message":%s}`, quoted) },
				"cut": func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Length", "9999")
					fmt.Fprintf(w, `{"data":[{"url":"https://h/a","revised_prompt":%s}`, quoted)
				},
				"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
					c, _, _ := w.(http.Hijacker).Hijack()
					io.WriteString(c, line+"\r\n\r\n")
					c.Close()
				},
				"failed job": func(w http.ResponseWriter, r *http.Request) {
					if r.Method == "POST" {
						w.WriteHeader(202)
						io.WriteString(w, `{"request_id":"j1"}`)
						return
					}
					w.Header().Set("X-Request-Id", line)
					fmt.Fprintf(w, `{"status":"failed","error":{"message":%s,"code":%[1]s}}`, quoted)
				},
				"job refused": func(w http.ResponseWriter, r *http.Request) {
					if r.Method == "POST" {
						w.WriteHeader(202)
						io.WriteString(w, `{"request_id":"j1"}`)
						return
					}
					w.WriteHeader(401)
					io.WriteString(w, echo)
				},
			}
			for what, h := range replies {
				m, _ := serve(t, provider.Config{Deferred: strings.Contains(what, "job")}, h)
				var s providertest.Recorder
				reply, err := m.Make(t.Context(), generate(1), &s)
				look(what, reply, err, &s)
				if what == "data" && (err != nil || len(s.Images) != 1) {
					t.Errorf("%s: %v", what, err)
				}
				_, err = m.Catalogue(t.Context())
				look(what+", catalogue", provider.Reply{}, err, &s)
			}
			refused, s := serve(t, provider.Config{}, replies["redirect"])
			look("download", provider.Reply{}, refused.Fetch(t.Context(), s.URL+"/"+url.PathEscape(line), io.Discard), &providertest.Recorder{})
			look("refused URL", provider.Reply{}, refused.Fetch(t.Context(), "ftp://"+line, io.Discard), &providertest.Recorder{})
			catalogue, _ := serve(t, provider.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				b, _ := json.Marshal(strings.Repeat("m", 95) + echo)
				fmt.Fprintf(w, `{"models":[{"id":%s,"aliases":[%[1]s]},{"id":%s,"pricing":[{"resolution":%[2]s,"price_per_image":1}]}]}`, b, quoted)
			})
			list, err := catalogue.Catalogue(t.Context())
			if text := fmt.Sprintf("%+v %v", list, err); err != nil || k.within(text) || strings.Contains(text, canary[:6]) {
				t.Errorf("catalogue: %s", text)
			}
			for what, h := range map[string]http.HandlerFunc{
				"status": func(w http.ResponseWriter, _ *http.Request) {
					answerGRPC(w, nil, 3, url.PathEscape(line), "X-Request-Id", line)
				},
				"trailer": func(w http.ResponseWriter, _ *http.Request) {
					answerGRPC(w, encode(field{2, echo}), 16, url.PathEscape(line))
				},
				"data": func(w http.ResponseWriter, _ *http.Request) {
					answerGRPC(w, encode(field{1, []field{{3, "https://h/a"}, {4, 1}}}, field{2, echo}), 0, "", "X-Request-Id", line)
				},
				"URL": func(w http.ResponseWriter, _ *http.Request) {
					answerGRPC(w, encode(field{1, []field{{3, "https://h/" + line}, {4, 1}}}), 0, "")
				},
				"HTTP": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502); io.WriteString(w, echo) },
				"type": func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", line)
					io.WriteString(w, echo)
				},
			} {
				m := serveGRPC(t, provider.Config{}, h)
				var s providertest.Recorder
				reply, err := m.Make(t.Context(), generate(1), &s)
				look("gRPC, "+what, reply, err, &s)
			}
		})
	}
}
