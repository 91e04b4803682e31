package provider

import (
	"encoding/json"
	"math/big"
	"slices"
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// The golden vectors are a promise: an upgrade that changes one of them buys
// every picture of every user again.
func TestCanonicalGolden(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		r      Request
		text   string
		digest string
	}{
		{"plain", Request{Provider: "xai", Model: "grok-imagine-image", Prompt: "a cat", N: 4, First: 2},
			"request v1\nprovider \"xai\"\nmodel \"grok-imagine-image\"\nprompt \"a cat\"\n",
			"r1:5a617d59c29628e6ed87c577845b76b19dd7f4325e7d7a8021f5118a4c87bf5a"},
		{"all", Request{Provider: "xai", Model: "m", Prompt: "li\"ne\\ one\nünï \x1b\x7f", AspectRatio: "16:9", Size: Size{1792, 1024}, Resolution: "2k", Quality: "low",
			Style: "vivid", User: "u", Reroll: "2", Inputs: []Input{{Content: digest.OfContent([]byte("a")), Data: []byte("x"), MIME: "image/png"}},
			Mask: &Input{Content: digest.OfContent([]byte("m")), Edit: "white"}},
			"request v1\nprovider \"xai\"\nmodel \"m\"\nprompt \"li\\\"ne\\\\ one\\nünï \\x1b\\x7f\"\naspect_ratio \"16:9\"\nsize \"1792x1024\"\nresolution \"2k\"\nquality \"low\"\n" +
				"style \"vivid\"\nuser \"u\"\nreroll \"2\"\ninput \"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\"\n" +
				"mask \"white 62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a\"\n", "r1:324e7f1b199a5d2c7f53e16cd2f6f53efa5d77cfadeb6c3419f434b69127974e"},
		{"drawn mask", Request{Provider: "xai", Model: "m", Prompt: "p", Inputs: []Input{{Content: digest.OfContent([]byte("a"))}},
			Mask: &Input{Edit: Drawn, Shapes: "ellipse(50%,50%,20%);!rect(0,0,1.5,9)~4;~12"}},
			"request v1\nprovider \"xai\"\nmodel \"m\"\nprompt \"p\"\ninput \"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\"\n" +
				"mask \"drawn ellipse(50%,50%,20%);!rect(0,0,1.5,9)~4;~12\"\n", "r1:a7b07e259eabd480a23442c4589933fb7ab3605fd325b46749f2d0b13c634756"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := string(tt.r.Canonical()); got != tt.text {
				t.Errorf("canonical text\n%s\nwant\n%s", got, tt.text)
			}
			if back := RequestOf(tt.r.Fields(), tt.r.N, tt.r.First); string(back.Canonical()) != tt.text || back.N != tt.r.N || back.First != tt.r.First {
				t.Errorf("of its fields: %+v", back)
			}
			if got := tt.r.Digest().String(); got != tt.digest {
				t.Errorf("digest %s, want %s", got, tt.digest)
			}
		})
	}
}

// FuzzCanonical holds that different requests have different texts.
func FuzzCanonical(f *testing.F) {
	f.Add("a", "b", "a\"\nprompt \"b", "")
	f.Fuzz(func(t *testing.T, p1, s1, p2, s2 string) {
		a := Request{Provider: "x", Model: "m", Prompt: p1, Style: s1}
		b := Request{Provider: "x", Model: "m", Prompt: p2, Style: s2}
		if equal := string(a.Canonical()) == string(b.Canonical()); equal != (p1 == p2 && s1 == s2) {
			t.Errorf("%q and %q: equal texts %v", [2]string{p1, s1}, [2]string{p2, s2}, equal)
		}
	})
}

func TestMoney(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Money{"0.02": 2e8, "5": 5 * Dollar, "0": 0, "1.605": 16050000000, "0.0000000001": 1, "12.50": 125e9} {
		got, err := ParseMoney(text)
		if err != nil || got != want {
			t.Errorf("ParseMoney(%q) = %d, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", ".5", "-1", "1e3", "$1", "0.00000000001", "1.2.3", "99999999999999999999"} {
		if _, err := ParseMoney(bad); err == nil {
			t.Errorf("ParseMoney(%q) is no error", bad)
		}
	}
	for m, want := range map[Money]string{0: "$0.00", 2e8: "$0.02", 1: "$0.0000000001", 16050000000: "$1.605", -Dollar: "-$1.00"} {
		if got := m.String(); got != want {
			t.Errorf("%d prints %s, want %s", int64(m), got, want)
		}
	}
	if m, err := MoneyFromBig(big.NewFloat(2.5)); m != 25e9 || err != nil {
		t.Errorf("%v %v", m, err)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	if s, err := ParseSize("1792x1024"); err != nil || s != (Size{1792, 1024}) {
		t.Errorf("%v %v", s, err)
	}
	for _, bad := range []string{"", "x", "1x", "x1", "0x1", "-1x1", "1X1", "01x1", "1x1x1", " 1x1", "1.5x2"} {
		if _, err := ParseSize(bad); err == nil {
			t.Errorf("ParseSize(%q) is no error", bad)
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	e := &Error{Kind: InDoubt, Status: 502, Message: "bad gateway"}
	if got := e.Error(); got != "in doubt (HTTP 502): bad gateway" {
		t.Error(got)
	}
	for k, stops := range map[Kind]bool{NotSent: false, RateLimited: false, Rejected: false, Credentials: true, Quota: true, Moderated: false, Unusable: false, InDoubt: false} {
		if (&Error{Kind: k}).StopsRun() != stops {
			t.Errorf("%s stops the run: %v", k, !stops)
		}
	}
}

// Sensitive fields are part of the digest and of nothing that is written.
func TestSensitiveFields(t *testing.T) {
	t.Parallel()
	open := Request{Provider: "xai", Model: "m", Prompt: "a <cat>", Style: "vivid", User: "me", N: 1, Inputs: []Input{{}}}
	sealed := open
	sealed.Sensitive = []string{"prompt", "user"}
	if open.Digest() != sealed.Digest() {
		t.Error("a mark would buy again")
	}
	want := []Field{{"provider", "xai"}, {"model", "m"}, {"style", "vivid"}, {"input", open.Inputs[0].Content.String()}, {"sensitive", "prompt user"}}
	if got := sealed.Fields(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	b, err := json.Marshal(struct{ R Request }{sealed})
	if want := `{"R":{"provider":"xai","model":"m","prompt":"","style":"vivid","inputs":[{}],"sensitive":["prompt","user"],"n":1}}`; err != nil || string(b) != want {
		t.Errorf("%v\n got %s\nwant %s", err, b, want)
	}
	if sealed.Prompt != open.Prompt {
		t.Error("writing it has changed it")
	}
	for name, back := range map[string]*Request{"fields": RequestOf(sealed.Fields(), 1, 0), "JSON": readRequest(t, b)} {
		if back.Digest() == open.Digest() {
			t.Errorf("by %s nothing is missing", name)
		}
		if back.Fill(&open); back.Digest() != open.Digest() || !slices.Equal(back.Sensitive, sealed.Sensitive) {
			t.Errorf("by %s: %+v", name, back)
		}
	}
}

func readRequest(t *testing.T, b []byte) *Request {
	var v struct{ R Request }
	if err := json.Unmarshal(b, &v); err != nil {
		t.Error(err)
	}
	return &v.R
}
