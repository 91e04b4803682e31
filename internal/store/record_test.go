package store

import (
	"bytes"
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// What is taken for a record is written back as it was, but for line ends.
func FuzzRecord(f *testing.F) {
	f.Add(record{Version: 1, Fields: [][2]string{{"prompt", "a <lake>"}}, Rolls: []roll{{ID: "a", Price: 1, Content: digest.OfContent(nil)}}}.encode())
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := parseRecord(b)
		if err == nil && !bytes.Equal(rec.encode(), bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))) {
			t.Errorf("%q became %q", b, rec.encode())
		}
	})
}
