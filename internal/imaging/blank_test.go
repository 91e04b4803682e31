package imaging

import "testing"

func TestBlank(t *testing.T) {
	t.Parallel()
	even := func(r, g, b, a byte) *Picture {
		p := New(40, 30)
		for i := 0; i < len(p.pix); i += 4 {
			copy(p.pix[i:], []byte{r, g, b, a})
		}
		return p
	}
	with := func(p *Picture, i int, v byte) *Picture { p.pix[i] = v; return p }
	last := 4 * (40*30 - 1)
	for _, c := range []struct {
		name  string
		p     *Picture
		blank bool
	}{
		{"nothing but transparency", New(40, 30), true},
		{"white", even(255, 255, 255, 255), true},
		{"a colour", even(200, 30, 90, 255), true},
		{"noise", with(even(200, 30, 90, 255), last, 208), true},
		{"one other pixel", with(even(200, 30, 90, 255), last, 209), false},
		{"one other pixel, the first", with(even(200, 30, 90, 255), 1, 0), false},
		{"a hole", with(even(0, 0, 0, 255), last+3, 0), false},
		{"what nobody sees", with(New(40, 30), last, 255), true},
		{"a gradient", sample(40, 30, false), false},
		{"a picture of one pixel", sample(1, 1, false), true},
	} {
		if got := c.p.Blank(); got != c.blank {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	for _, format := range []string{"png", "jpeg"} {
		p, _, err := Decode(encode(t, even(200, 30, 90, 255), format), DefaultLimits)
		if err != nil || !p.Blank() {
			t.Errorf("%s of one colour is not blank (%v)", format, err)
		}
	}
}
