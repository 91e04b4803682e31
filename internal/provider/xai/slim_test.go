package xai

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	diff "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
	"github.com/imgbuild/imgbuild/internal/xaipb"
)

func slimOf(body io.Reader, s provider.Sink) *slim {
	return &slim{Closer: io.NopCloser(nil), in: bufio.NewReader(body), limit: 1 << 20, maxImage: 1 << 19, sink: s}
}

// group is a field of the kind that protobuf had once.
func group(number protowire.Number, fields ...field) []byte {
	b := append(protowire.AppendTag(nil, number, protowire.StartGroupType), encode(fields...)...)
	return protowire.AppendTag(b, number, protowire.EndGroupType)
}

func TestSlim(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 2400) // its base64 has no padding
	text := base64.StdEncoding.EncodeToString([]byte(long))
	image := func(f ...field) field { return field{1, f} }
	tests := map[string]struct {
		message, want []byte
		images        []inlineImage
		err           error
	}{
		"inline": {
			encode(image(field{4, 1}, field{1, "data:image/jpeg;base64," + text}, field{9, "x"}), field{2, "grok"}, image(field{3, "https://h/a"}), image(field{1, text}), usageOf(7)),
			encode(image(field{4, 1}, field{9, "x"}), field{2, "grok"}, image(field{3, "https://h/a"}), image(), usageOf(7)),
			[]inlineImage{{true, "image/jpeg", ""}, {}, {true, "", ""}}, nil,
		},
		"nothing":          {nil, nil, nil, nil},
		"no text":          {encode(image(field{1, ""})), encode(image()), []inlineImage{{}}, nil},
		"not base64":       {encode(image(field{1, "?" + text})), encode(image()), []inlineImage{{false, "", "its base64 is broken"}}, nil},
		"two":              {encode(image(field{1, text}, field{1, text})), encode(image()), []inlineImage{{true, "", "two base64 in one image"}}, nil},
		"too long":         {encode(image(field{1, strings.Repeat(text, 20)})), encode(image()), []inlineImage{{true, "", "it is longer than 524288 bytes"}}, nil},
		"a group":          {append(group(8, image(field{1, text})), encode(image(field{4, 1}))...), append(group(8, image(field{1, text})), encode(image(field{4, 1}))...), []inlineImage{{}}, nil},
		"fixed":            {[]byte{0x4d, 1, 2, 3, 4, 0x51, 1, 2, 3, 4, 5, 6, 7, 8}, []byte{0x4d, 1, 2, 3, 4, 0x51, 1, 2, 3, 4, 5, 6, 7, 8}, nil, nil},
		"an image too far": {[]byte{0x0a, 9, 0}, nil, nil, errNotMessage},
		"a text too far":   {[]byte{0x0a, 2, 0x0a, 9}, nil, []inlineImage{{}}, errNotMessage},
		"a cut tag":        {[]byte{0xff}, nil, nil, io.ErrUnexpectedEOF},
		"a cut number":     {[]byte{0x10, 0xff}, nil, nil, io.ErrUnexpectedEOF},
		"no such kind":     {[]byte{0x0f}, nil, nil, errNotMessage},
		"too many":         {bytes.Repeat(encode(image()), maxCount+1), nil, make([]inlineImage, maxCount), errTooLong},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := append(frame(tt.message), frame([]byte("more"))...)
			for name, body := range map[string]io.Reader{"at once": bytes.NewReader(whole), "dripping": iotest.OneByteReader(bytes.NewReader(whole))} {
				var sink providertest.Recorder
				s := slimOf(body, &sink)
				got, err := io.ReadAll(s)
				if !errors.Is(err, tt.err) || err == nil && !bytes.Equal(got, append(frame(tt.want), frame([]byte("more"))...)) {
					t.Errorf("%s: %q %v", name, got, err)
				}
				if d := diff.Diff(tt.images, s.images, diff.AllowUnexported(inlineImage{})); d != "" {
					t.Errorf("%s (-want +got):\n%s", name, d)
				}
				for i, b := range sink.Spools {
					if !strings.HasPrefix(strings.Repeat(long, 20), string(b)) {
						t.Errorf("%s: image %d has %d other bytes", name, i, len(b))
					}
				}
			}
		})
	}
}

// TestSlimLeavesOther: what is no message is for connect to judge.
func TestSlimLeavesOther(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "\x00\x00", "<html><body>", "\x01\x00\x00\x00\x02\x0a\x00", "\x00\xff\xff\xff\xff\x0a\x00"} {
		s := slimOf(strings.NewReader(body), &providertest.Recorder{})
		if got, err := io.ReadAll(s); string(got) != body || err != nil {
			t.Errorf("%q became %q (%v)", body, got, err)
		}
	}
}

// TestSlimCut: wherever a reply is cut, it does not look whole, and the spool
// is closed.
func TestSlimCut(t *testing.T) {
	t.Parallel()
	whole := frame(encode(field{1, []field{{1, base64.StdEncoding.EncodeToString(aPNG)}, {4, 1}}}, usageOf(5)))
	for n := range len(whole) {
		var sink providertest.Recorder
		got, err := io.ReadAll(slimOf(bytes.NewReader(whole[:n]), &sink))
		if n < 5 && (err != nil || !bytes.Equal(got, whole[:n])) || n >= 5 && (err != io.ErrUnexpectedEOF || len(got) > 0) {
			t.Errorf("%d of %d bytes: %q %v", n, len(whole), got, err)
		}
		if opened, closed := sink.Count("spool 0"), sink.Count("close 0"); opened != closed {
			t.Errorf("%d of %d bytes: a spool is open", n, len(whole))
		}
	}
}

func TestGRPCSpoolFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for _, event := range []string{"spool 0", "close 0"} {
		m := serveGRPC(t, provider.Config{Response: "b64_json"}, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			answerGRPC(w, encode(field{1, []field{{1, base64.StdEncoding.EncodeToString(aPNG)}, {4, 1}}}), 0, "")
		})
		s := providertest.Recorder{Fail: map[string]error{event: full}}
		if _, err := m.Make(t.Context(), generate(1), &s); !errors.Is(err, full) || len(s.Images) > 0 {
			t.Errorf("%s: %v, %d images", event, err, len(s.Images))
		}
	}
}

func FuzzSlim(f *testing.F) {
	text := base64.StdEncoding.EncodeToString(aPNG)
	f.Add(encode(field{1, []field{{1, "data:image/png;base64," + text}, {4, 1}}}, usageOf(5)))
	f.Add(encode(field{1, []field{{3, "https://h/a"}}}, field{2, "grok"}))
	f.Add(append(group(8, field{1, "x"}), encode(field{1, []field{{1, text}, {3, "u"}}})...))
	f.Fuzz(func(t *testing.T, message []byte) {
		s := slimOf(bytes.NewReader(frame(message)), &providertest.Recorder{})
		got, err := io.ReadAll(s)
		var before, after xaipb.ImageResponse
		if proto.Unmarshal(message, &before) != nil || len(before.Images) > maxCount || len(message) > 1<<20 {
			return // what it hands on of such, connect refuses
		}
		if err != nil {
			t.Fatalf("%v of what is a message", err)
		}
		if err := proto.Unmarshal(got[5:], &after); err != nil || len(after.Images) != len(s.images) {
			t.Fatalf("%d images, %d before: %v", len(after.Images), len(s.images), err)
		}
		for i, im := range after.Images {
			if im.GetBase64() != "" || im.RespectModeration != before.Images[i].RespectModeration {
				t.Errorf("image %d is %v", i, im)
			}
		}
		if after.Model != before.Model || !proto.Equal(after.Usage, before.Usage) {
			t.Errorf("%v became %v", &before, &after)
		}
	})
}
