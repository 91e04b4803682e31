package store

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// What is written by hand is what encoding/json writes.
func TestRecordText(t *testing.T) {
	t.Parallel()
	req := digest.OfRequest([]byte("x"))
	for _, rec := range []record{
		{Version: 1, Request: req, Fields: [][2]string{}, Rolls: []roll{}},
		{Version: 2, Request: req, Fields: [][2]string{{"provider", "xai"}}, Rolls: []roll{{ID: "a/0"}}},
		{Version: 2, Request: req, Fields: [][2]string{{"prompt", "a <lake>\n\"at\" dawn \\ é\u2028\x00\x7f\xff"}, {"size", "1x1"}}, Rolls: []roll{
			{ID: "a/0", Content: digest.OfContent(nil), Width: 1, Height: 2, Bytes: 1 << 40, MIME: "image/png", Model: "m", RevisedPrompt: "ü & <b>", C2PA: true, SourceType: "trainedAlgorithmicMedia", Price: 2e8},
			{ID: "b", Price: 123, Refused: "gone"}}},
	} {
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(rec); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want.String(), string(rec.text())); d != "" {
			t.Error(d)
		}
	}
}
