package emulator

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/imgbuild/imgbuild/internal/imaging"
)

const rpc = "/xai_api.Image/GenerateImage"

// message reads a recorded message: hex and quoted text, and comments.
func message(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "wire", "grpc", "requests", name))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, `"`)
		if len(parts) == 1 {
			parts[0], _, _ = strings.Cut(line, "#")
		}
		for i, part := range parts {
			if i == 1 {
				out = append(out, part...)
				continue
			}
			part, _, _ = strings.Cut(part, "#")
			b, err := hex.DecodeString(strings.Join(strings.Fields(part), ""))
			if err != nil || i > 2 {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			out = append(out, b...)
		}
	}
	return out
}

func frame(m []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...)
}

// h2 makes a client that speaks HTTP/2 without TLS and knows nothing of gRPC.
func h2(t *testing.T) *http.Client {
	var only http.Protocols
	only.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &only}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// told is what a gRPC server answered.
type told struct {
	http            int
	status          string // of the trailer
	message         string
	header, trailer http.Header
	model           string
	ticks           int64
	images          []toldImage
}

type toldImage struct {
	base64, url string
	respect     bool
}

func invoke(t *testing.T, url, key string, m []byte) (told, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", url+rpc, bytes.NewReader(frame(m)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := h2(t).Do(req)
	if err != nil {
		return told{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	end := resp.Trailer
	if len(b) == 0 { // nothing but trailers, which are the headers then
		end = resp.Header
	}
	got := told{http: resp.StatusCode, header: resp.Header, trailer: end, status: end.Get("Grpc-Status"), message: end.Get("Grpc-Message")}
	if err != nil || got.status != "0" {
		return got, err
	}
	if len(b) < 5 || b[0] != 0 || int(binary.BigEndian.Uint32(b[1:])) != len(b)-5 {
		t.Fatalf("not one frame: %x", b[:min(len(b), 40)])
	}
	each(t, b[5:], func(n protowire.Number, number uint64, bytes []byte) {
		switch n {
		case 1:
			var one toldImage
			each(t, bytes, func(n protowire.Number, number uint64, bytes []byte) {
				switch n {
				case 1:
					one.base64 = string(bytes)
				case 3:
					one.url = string(bytes)
				case 4:
					one.respect = number == 1
				default:
					t.Errorf("GeneratedImage has field %d", n)
				}
			})
			got.images = append(got.images, one)
		case 2:
			got.model = string(bytes)
		case 3:
			each(t, bytes, func(n protowire.Number, number uint64, _ []byte) {
				if n != 11 {
					t.Errorf("SamplingUsage has field %d", n)
				}
				got.ticks = int64(number)
			})
		default:
			t.Errorf("ImageResponse has field %d", n)
		}
	})
	return got, nil
}

// each walks over the fields of a message.
func each(t *testing.T, b []byte, f func(n protowire.Number, number uint64, bytes []byte)) {
	t.Helper()
	for len(b) > 0 {
		n, kind, used := protowire.ConsumeTag(b)
		if used < 0 {
			t.Fatal(protowire.ParseError(used))
		}
		b = b[used:]
		var number uint64
		var bytes []byte
		if kind == protowire.VarintType {
			number, used = protowire.ConsumeVarint(b)
		} else {
			bytes, used = protowire.ConsumeBytes(b)
		}
		if used < 0 {
			t.Fatal(protowire.ParseError(used))
		}
		b = b[used:]
		f(n, number, bytes)
	}
}

func TestRecordedMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, documented, current string }{
		{"sdk_sample.hex", "1 of 1024x1024 png, grok-imagine-image, 200000000, url", "1 of 1024x1024 jpeg, grok-imagine-image, 200000000, url"},
		{"minimal.hex", "1 of 1024x1024 png, grok-imagine-image, 200000000, url", "1 of 1024x1024 jpeg, grok-imagine-image, 200000000, url"},
		{"sdk_sample_batch.hex", "3 Argument not supported: quality", "2 of 1184x880 jpeg, grok-imagine-image-2.0, 1200000000, base64"},
		{"sdk_edit.hex", "1 of 1x1 png, grok-imagine-image, 220000000, url", "1 of 1x1 jpeg, grok-imagine-image, 220000000, url"},
		{"sdk_edit_two.hex", "1 of 1x1 png, grok-imagine-image-2.0, 800000000, base64", "1 of 1x1 jpeg, grok-imagine-image-2.0, 800000000, base64"},
	} {
		for profile, want := range map[string]string{"documented": tt.documented, "current": tt.current} {
			t.Run(profile+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				s, url := serve(t, Config{Profile: profile, Key: key})
				a, err := invoke(t, url, key, message(t, tt.name))
				if err != nil {
					t.Fatal(err)
				}
				got := a.status + " " + a.message
				if a.status == "0" {
					if kind := a.header.Get("Content-Type"); a.http != 200 || kind != "application/grpc" {
						t.Errorf("%d %s", a.http, kind)
					}
					var form string
					for _, one := range a.images {
						if !one.respect {
							t.Error("moderated")
						}
						var b []byte
						if one.url != "" {
							form = "url"
							if !strings.HasPrefix(one.url, url+"/images/") {
								t.Errorf("not on the host that was asked: %s", one.url)
							}
							b = get(t, one.url).body
						} else {
							form = "base64"
							head, data, _ := strings.Cut(one.base64, ";base64,")
							b, err = base64.StdEncoding.DecodeString(data)
							if err != nil || head != "data:image/"+imaging.Sniff(b) {
								t.Errorf("%s: %v", head, err)
							}
						}
						_, info, err := imaging.Decode(b, imaging.DefaultLimits)
						if err != nil {
							t.Fatal(err)
						}
						got = fmt.Sprintf("%d of %dx%d %s, %s, %d, %s", len(a.images), info.Width, info.Height, info.Format, a.model, a.ticks, form)
					}
				}
				if got != want {
					t.Errorf("%s, want %s", got, want)
				}
				if st := s.Stats(); st.Ticks != a.ticks || st.Images != len(a.images) || st.Requests != 1 || a.ticks > 0 && st.Charges[0].Path != rpc {
					t.Errorf("%+v", st)
				}
			})
		}
	}
}

// TestMessageRefusals: bytes that are added to a good request. In protobuf the
// last of a field counts.
func TestMessageRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, more, want string }{
		{"no prompt", "0a00", "3 missing field `prompt`"},
		{"unknown model", "1201" + "78", "5 The model x does not exist or your team does not have access to it."},
		{"n of 0", "1800", "3 n must be between 1 and 10, got 0"},
		{"n of 11", "180b", "3 n must be between 1 and 10, got 11"},
		{"n below 0", "18ffffffffffffffffff01", "3 n must be between 1 and 10, got -1"},
		{"format unknown", "5803", "3 format: no value 3"},
		{"quality invalid", "6000", "3 quality: no value 0"},
		{"quality of the wrong model", "6001", "3 Argument not supported: quality"},
		{"quality high", "6003", "3 Argument not supported: quality"},
		{"ratio invalid", "7000", "3 aspect_ratio: no value 0"},
		{"ratio unknown", "700f", "3 aspect_ratio: no value 15"},
		{"ratio below 0", "70ffffffffffffffffff01", "3 aspect_ratio: no value -1"},
		{"resolution invalid", "7800", "3 resolution: no value 0"},
		{"resolution unknown", "7803", "3 resolution: no value 3"},
		{"detail unknown", "2a021007", "3 image 0: detail: no value 7"},
		{"image without source", "2a00", "3 image 0: only data URLs of PNG, JPEG and WebP can be read here"},
		{"file", "2a031a0166", "3 image 0: there are no files here"},
		{"image and images", "2a008a0100", "3 image and images exclude each other"},
		{"too many images", strings.Repeat("8a01180a16"+hex.EncodeToString([]byte("data:image/png;base64,")), 4), "3 an edit takes 1 to 3 images, got 4"},
		{"prompt that is no UTF-8", "0a01ff", "3 "},
		{"half a field", "0a", "3 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, url := serve(t, Config{Profile: "current"})
			more, err := hex.DecodeString(tt.more)
			if err != nil {
				t.Fatal(err)
			}
			a, err := invoke(t, url, "", append(message(t, "sdk_sample.hex"), more...))
			if got := a.status + " " + a.message; err != nil || got != tt.want && (!strings.HasSuffix(tt.want, " ") || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("%s, %v, want %s", got, err, tt.want)
			}
			if st := s.Stats(); st.Requests != 1 || st.Ticks != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
	t.Run("not gRPC", func(t *testing.T) {
		t.Parallel()
		s, url := serve(t, Config{})
		for _, kind := range []string{"application/json", "application/proto", "application/grpc-web"} {
			resp, err := http.Post(url+rpc, kind, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if a := read(t, resp); a.status != 415 {
				t.Errorf("%s: %d", kind, a.status)
			}
		}
		if st := s.Stats(); st.Requests != 3 {
			t.Errorf("%+v", st)
		}
	})
}

func TestMessageKeysAndLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	_, url := serve(t, Config{Key: key, Log: &log})
	for key, want := range map[string]string{
		"":             "16 No credentials were sent. Obtain an API key from https://console.x.ai.",
		"wrong-" + key: "3 Incorrect API key provided: wr***. You can obtain an API key from https://console.x.ai.",
	} {
		if a, err := invoke(t, url, key, message(t, "minimal.hex")); err != nil || a.status+" "+a.message != want {
			t.Errorf("%s %s, %v", a.status, a.message, err)
		}
	}
	log.Reset()
	if a, err := invoke(t, url, key, message(t, "minimal.hex")); err != nil || a.status != "0" {
		t.Error(a, err)
	}
	invoke(t, url, key, []byte{0x0a})
	want := `{"request":3,"method":"POST","path":"/xai_api.Image/GenerateImage","code":"OK","model":"grok-imagine-image","prompt":"A lighthouse","n":1,"ticks":200000000}
{"request":4,"method":"POST","path":"/xai_api.Image/GenerateImage","code":"INVALID_ARGUMENT","error":"`
	if got := log.String(); !strings.HasPrefix(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// TestMessageFaults: what each fault means over gRPC, and what it costs.
func TestMessageFaults(t *testing.T) {
	t.Parallel()
	const edited = 220000000
	for name, tt := range map[string]struct {
		do     string
		want   string // status and message, or the error of the client
		ticks  int64
		images int
	}{
		"400":                 {`{"status":400}`, "3 Bad Request", 0, 0},
		"401":                 {`{"status":401}`, "16 Unauthorized", 0, 0},
		"402":                 {`{"status":402}`, "8 Payment Required", 0, 0},
		"403":                 {`{"status":403,"body":"blocked"}`, "7 blocked", 0, 0},
		"404":                 {`{"status":404,"body":{"code":"x","error":"no model"}}`, "5 no model", 0, 0},
		"408":                 {`{"status":408}`, "4 Request Timeout", 0, 0},
		"409":                 {`{"status":409}`, "10 Conflict", 0, 0},
		"412":                 {`{"status":412}`, "9 Precondition Failed", 0, 0},
		"429":                 {`{"status":429,"retry_after":"3","body":{"error":{"message":"slow down"}}}`, "8 slow down after 3", 0, 0},
		"500, billed":         {`{"status":500,"billed":true,"body":{"odd":1}}`, `13 {"odd":1}`, edited, 1},
		"501":                 {`{"status":501}`, "12 Not Implemented", 0, 0},
		"503":                 {`{"status":503}`, "14 Service Unavailable", 0, 0},
		"529":                 {`{"status":529}`, "14 error", 0, 0},
		"418":                 {`{"status":418}`, "2 I'm a teapot", 0, 0},
		"proxy":               {`{"status":502,"html":true}`, "HTTP 502 text/html", 0, 0},
		"before-read":         {`{"drop":"before-read"}`, "stream", 0, 0},
		"after-request":       {`{"drop":"after-request"}`, "stream", edited, 1},
		"after-request, free": {`{"drop":"after-request","billed":false}`, "stream", 0, 0},
		"reset":               {`{"drop":"reset"}`, "connection", edited, 1},
		"mid-body":            {`{"drop":"mid-body"}`, "stream", edited, 1},
		"truncate":            {`{"truncate":3}`, "stream", edited, 1},
		"moderated 400":       {`{"moderated":"400"}`, "3 Generated image rejected by content moderation.", edited, 1},
		"moderated flag":      {`{"moderated":"flag"}`, "0 , 1 images, false", edited, 1},
		"placeholder":         {`{"moderated":"placeholder"}`, "0 , 1 images, false 1x1", edited, 1},
		"moderated empty":     {`{"moderated":"empty"}`, "0 , 0 images", edited, 1},
		"none":                {`{"n":0}`, "0 , 0 images", 20000000, 0},
		"more":                {`{"n":2}`, "0 , 2 images, true 1x1, true 1x1", 420000000, 2},
		"corrupt":             {`{"corrupt":true}`, "0 , 1 images, true broken", edited, 1},
		"html":                {`{"html":true}`, "0 , 1 images, true broken", edited, 1},
		"wrong_size":          {`{"wrong_size":true}`, "0 , 1 images, true 1x1", edited, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults, err := ParseFaults([]byte(`[{"match":{"path":"/xai_api.Image/*"},"do":` + tt.do + `}]`))
			if err != nil {
				t.Fatal(err)
			}
			s, url := serve(t, Config{Faults: faults})
			a, err := invoke(t, url, "", append(message(t, "sdk_edit.hex"), 0x58, 1)) // as base64
			got := a.status + " " + a.message
			switch {
			case err != nil && strings.Contains(err.Error(), "stream error"):
				got = "stream"
			case err != nil:
				got = "connection"
			case a.http != 200:
				got = fmt.Sprintf("HTTP %d %s", a.http, a.header.Get("Content-Type"))
			case a.status == "0":
				got += fmt.Sprintf(", %d images", len(a.images))
				for _, one := range a.images {
					got += fmt.Sprintf(", %t", one.respect)
					if _, data, ok := strings.Cut(one.base64, ";base64,"); ok {
						b, _ := base64.StdEncoding.DecodeString(data)
						if _, info, err := imaging.Decode(b, imaging.DefaultLimits); err != nil {
							got += " broken"
						} else {
							got += fmt.Sprintf(" %dx%d", info.Width, info.Height)
						}
					}
				}
			}
			if after := a.trailer.Get("Retry-After"); after != "" {
				got += " after " + after
			}
			if got != tt.want {
				t.Errorf("%s (%v), want %s", got, err, tt.want)
			}
			if st := s.Stats(); st.Requests != 1 || st.Ticks != tt.ticks || st.Images != tt.images {
				t.Errorf("%+v", st)
			}
		})
	}
}

// TestMessageDropsOneStream: a drop leaves other calls of the connection alone.
func TestMessageDropsOneStream(t *testing.T) {
	t.Parallel()
	faults, err := ParseFaults([]byte(`[{"times":1,"do":{"drop":"after-request"}}]`))
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Faults: faults})
	h := httptest.NewUnstartedServer(nil)
	h.Config = s.HTTP()
	connections := 0
	h.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections++
		}
	}
	h.Start()
	defer h.Close()
	client := h2(t)
	for _, want := range []string{"dropped", "200"} {
		req, _ := http.NewRequest("POST", h.URL+rpc, bytes.NewReader(frame(message(t, "minimal.hex"))))
		req.Header.Set("Content-Type", "application/grpc")
		resp, err := client.Do(req)
		got := "dropped"
		if err == nil {
			got = fmt.Sprint(read(t, resp).status)
		}
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	h.Close() // no state changes any more
	if connections != 1 {
		t.Errorf("%d connections", connections)
	}
}

// TestMessageTime: delays and silence, without waiting for them; the deadline
// is that of the client's grpc-timeout.
func TestMessageTime(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do    string
		took  time.Duration
		ticks int64
	}{
		"delay":          {`{"delay":"90s"}`, 90 * time.Second, 200000000},
		"delay too long": {`{"delay":"1h"}`, 10 * time.Minute, 0},
		"silent":         {`{"silent":true}`, 10 * time.Minute, 200000000},
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
				start := time.Now()
				req := httptest.NewRequest("POST", rpc, bytes.NewReader(frame(message(t, "minimal.hex"))))
				req.Header.Set("Content-Type", "application/grpc")
				req.Header.Set("Grpc-Timeout", "10M")
				func() {
					defer func() {
						if r := recover(); r != nil && r != http.ErrAbortHandler {
							panic(r)
						}
					}()
					s.ServeHTTP(httptest.NewRecorder(), req.WithContext(context.WithoutCancel(t.Context())))
				}()
				if took := time.Since(start); took != tt.took || s.Stats().Ticks != tt.ticks {
					t.Errorf("%s, %+v", took, s.Stats())
				}
			})
		})
	}
}

// TestKeepAlive: pings as the Python SDK sends them (without calls, without
// data, for ever) are answered and not punished, as grpc-go does.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	_, url := serve(t, Config{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const settings, ping, goAway, ack = 4, 6, 7, 1
	io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	conn.Write([]byte{0, 0, 0, settings, 0, 0, 0, 0, 0})
	const pings = 50
	for i := range pings {
		conn.Write([]byte{0, 0, 8, ping, 0, 0, 0, 0, 0, 'p', 'i', 'n', 'g', 0, 0, 0, byte(i)})
	}
	for answered := 0; answered < pings; {
		head := make([]byte, 9)
		if _, err := io.ReadFull(conn, head); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(conn, body); err != nil {
			t.Fatal(err)
		}
		switch head[3] {
		case goAway:
			t.Fatalf("sent away: %q", body)
		case ping:
			if head[4] != ack || body[7] != byte(answered) {
				t.Errorf("%x %x", head, body)
			}
			answered++
		}
	}
}

// TestLargeMessages: five pictures of 20 MiB fit, more is refused unread.
func TestLargeMessages(t *testing.T) {
	t.Parallel()
	const size = 134 << 20
	large := protowire.AppendTag(message(t, "minimal.hex"), 100, protowire.BytesType)
	large = protowire.AppendVarint(large, size)
	prefix := func(n int) []byte { return binary.BigEndian.AppendUint32([]byte{0}, uint32(n)) }
	for _, tt := range []struct {
		name, want string
		body       io.Reader
	}{
		{"fits", "0", io.MultiReader(bytes.NewReader(prefix(len(large)+size)), bytes.NewReader(large), io.LimitReader(zeros{}, size))},
		// The prefix says how much comes: nothing is kept of what is too much.
		{"too large", "8", bytes.NewReader(prefix(maxMessage + 1))},
	} {
		req, w := httptest.NewRequest("POST", rpc, tt.body), httptest.NewRecorder()
		req.Header.Set("Content-Type", "application/grpc")
		New(Config{}).ServeHTTP(w, req)
		end := w.Result().Trailer
		if w.Body.Len() == 0 {
			end = w.Header()
		}
		if got := end.Get("Grpc-Status"); got != tt.want {
			t.Errorf("%s: %s %s", tt.name, got, end.Get("Grpc-Message"))
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
