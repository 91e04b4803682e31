package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf8"
)

// maxText is the most bytes that are read of one text in a picture.
const maxText = 64 << 10

// Texts are what the text chunks of a PNG say, by their keys; the first of
// equal keys counts. Of other formats and of damage there is nothing. The
// texts are foreign: they are valid UTF-8 and bounded, and that is all.
func Texts(b []byte) map[string]string {
	out := map[string]string{}
	if Sniff(b) != "png" {
		return out
	}
	for b = b[len(pngSignature):]; len(b) >= 12; {
		size, kind := int64(binary.BigEndian.Uint32(b)), string(b[4:8])
		if size > int64(len(b))-12 {
			return out
		}
		body := b[8 : 8+size]
		b = b[12+size:]
		key, rest, ok := bytes.Cut(body, []byte{0})
		if !ok {
			continue
		}
		packed, latin := false, true
		switch kind {
		case "tEXt":
		case "zTXt":
			if len(rest) < 1 {
				continue
			}
			packed, rest = true, rest[1:]
		case "iTXt": // two bytes about compression, the language and the translated key
			if len(rest) < 2 {
				continue
			}
			packed, latin = rest[0] == 1, false
			parts := bytes.SplitN(rest[2:], []byte{0}, 3)
			if len(parts) < 3 {
				continue
			}
			rest = parts[2]
		default:
			continue
		}
		if packed {
			z, err := zlib.NewReader(bytes.NewReader(rest))
			if err != nil {
				continue
			}
			// What is cut off or damaged at its end still says something.
			rest, _ = io.ReadAll(io.LimitReader(z, maxText))
		}
		rest = rest[:min(len(rest), maxText)]
		text := strings.ToValidUTF8(string(rest), "")
		if latin && !utf8.Valid(rest) { // many write UTF-8 in spite of the standard
			runes := make([]rune, len(rest))
			for i, c := range rest {
				runes[i] = rune(c)
			}
			text = string(runes)
		}
		if _, twice := out[string(key)]; !twice && len(out) < 64 && utf8.Valid(key) {
			out[string(key)] = strings.TrimSpace(text)
		}
	}
	return out
}

// Told is the prompt that a picture was made by and what it shows, as far as
// its texts tell: "parameters" as the web UI of Stable Diffusion writes it,
// "prompt" if it is no graph in JSON, "Description" beside the name of a
// program that puts the prompt there; and "Alt", "Description" or "Title".
func Told(b []byte) (prompt, alt string) {
	t := Texts(b)
	prompt, _, _ = strings.Cut(t["parameters"], "\nNegative prompt:")
	prompt, _, _ = strings.Cut(prompt, "\nSteps:")
	alt = t["Alt"]
	for _, key := range []string{"Prompt", "prompt"} {
		if s := t[key]; prompt == "" && !strings.HasPrefix(s, "{") && !strings.HasPrefix(s, "[") {
			prompt = s
		}
	}
	if prompt == "" && strings.HasPrefix(t["Software"], "NovelAI") {
		prompt = t["Description"]
		t["Description"] = ""
	}
	for _, key := range []string{"Description", "Title"} {
		if alt == "" {
			alt = t[key]
		}
	}
	return strings.Join(strings.Fields(prompt), " "), strings.Join(strings.Fields(alt), " ")
}
