package spec

import "testing"

func TestParseDataURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want, err string }{
		{"data:image/png;base64,iVAA/w==", "\x89P\x00\xff", ""},
		{"data:image/webp;base64,iVAA\n/w==\n", "\x89P\x00\xff", ""},
		{"data:image/png;base64,!", "", "has broken base64"},
		{"data:image/png;base64,", "", "is empty"},
		{"data:image/png,x", "", `is not written as "data:image/png;base64,…"`},
		{"data:", "", `is not written as "data:image/png;base64,…"`},
		{"image/png;base64,AAAA", "", `is not written as "data:image/png;base64,…"`},
		{"data:image/svg+xml;base64,AAAA", "", "is not PNG, JPEG or WebP"},
	} {
		b, err := ParseDataURL(tt.in)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if string(b) != tt.want || got != tt.err {
			t.Errorf("%q: %q, %q", tt.in, b, got)
		}
	}
}
