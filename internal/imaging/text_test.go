package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"
)

// withTexts is a PNG with chunks "kind" and body behind its header.
func withTexts(t testing.TB, chunks ...[2]string) []byte {
	var b bytes.Buffer
	if _, err := New(2, 2).Encode(&b, "png", 0, false); err != nil {
		t.Fatal(err)
	}
	const header = 33
	out := bytes.Clone(b.Bytes()[:header])
	for _, c := range chunks {
		out = binary.BigEndian.AppendUint32(out, uint32(len(c[1])))
		body := c[0] + c[1]
		out = append(out, body...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE([]byte(body)))
	}
	return append(out, b.Bytes()[header:]...)
}

func deflated(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func TestTold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		chunks      [][2]string
		prompt, alt string
	}{
		{"nothing", nil, "", ""},
		{"web UI", [][2]string{{"tEXt", "parameters\x00A fox,\n in snow\nNegative prompt: ugly\nSteps: 20"}}, "A fox, in snow", ""},
		{"web UI without a negative prompt", [][2]string{{"tEXt", "parameters\x00A fox\nSteps: 20, Sampler: x"}}, "A fox", ""},
		{"a graph is no prompt", [][2]string{{"tEXt", "prompt\x00{\"3\": {}}"}, {"tEXt", "Title\x00A fox"}}, "", "A fox"},
		{"description is the prompt", [][2]string{{"tEXt", "Software\x00NovelAI"}, {"tEXt", "Description\x00A fox"}}, "A fox", ""},
		{"Latin-1", [][2]string{{"tEXt", "Title\x00F\xfcchse"}}, "", "Füchse"},
		{"UTF-8 in spite of the standard", [][2]string{{"tEXt", "Title\x00Füchse"}}, "", "Füchse"},
		{"deflated", [][2]string{{"zTXt", "Title\x00\x00" + deflated("Füchse")}, {"iTXt", "Prompt\x00\x01\x00de\x00\x00" + deflated("Füchse im Schnee")}}, "Füchse im Schnee", "Füchse"},
		{"plain iTXt", [][2]string{{"iTXt", "Alt\x00\x00\x00\x00\x00Two foxes"}, {"tEXt", "Title\x00x"}}, "", "Two foxes"},
		{"the first counts", [][2]string{{"tEXt", "Title\x00a"}, {"tEXt", "Title\x00b"}}, "", "a"},
		{"broken", [][2]string{{"iTXt", "Alt\x00\x00"}, {"zTXt", "Alt\x00"}, {"zTXt", "Alt\x00\x00junk"}, {"tEXt", "Alt"}, {"tEXt", "Title\x00a"}}, "", "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := withTexts(t, tt.chunks...)
			if _, _, err := Decode(b, DefaultLimits); err != nil {
				t.Fatal(err)
			}
			if prompt, alt := Told(b); prompt != tt.prompt || alt != tt.alt {
				t.Errorf("got %q, %q; want %q, %q", prompt, alt, tt.prompt, tt.alt)
			}
		})
	}
	if bomb := Texts(withTexts(t, [2]string{"zTXt", "Title\x00\x00" + deflated(strings.Repeat("a", 10*maxText))})); len(bomb["Title"]) != maxText {
		t.Errorf("a text of %d bytes", len(bomb["Title"]))
	}
}

func FuzzTexts(f *testing.F) {
	f.Add(withTexts(f, [2]string{"tEXt", "parameters\x00A fox"}, [2]string{"iTXt", "Alt\x00\x01\x00\x00\x00" + deflated("x")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for key, text := range Texts(b) {
			if len(text) > 2*maxText || strings.ToValidUTF8(text, "") != text || strings.ToValidUTF8(key, "") != key {
				t.Fatalf("%q: %d bytes", key, len(text))
			}
		}
	})
}
