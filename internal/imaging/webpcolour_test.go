package imaging

import (
	"encoding/base64"
	"testing"
)

// redWebP is a picture of 16x16 pixels of #dc281e as cwebp 1.2.4 writes it at
// quality 80; dwebp shows #de271f.
const redWebP = `UklGRjoAAABXRUJQVlA4IC4AAADQAQCdASoQABAAAUAmJaACdLoB+AADsAD+771X/kFywuuRr/37S96Ae9AP9FgA`

func TestDecodeLossyWebP(t *testing.T) {
	t.Parallel()
	b, err := base64.StdEncoding.DecodeString(redWebP)
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := Decode(b, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(p.pix); i += 4 {
		for k, want := range []int{0xde, 0x27, 0x1f, 255} {
			if got := int(p.pix[i+k]); abs(got-want) > 4 { // it is lossy
				t.Fatalf("pixel %d is %x", i/4, p.pix[i:i+4])
			}
		}
	}
}
