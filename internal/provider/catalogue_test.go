package provider

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	flat := func(m Money) func(*Request) (Money, bool) {
		return func(*Request) (Money, bool) { return m, true }
	}
	offers := []Offer{
		{Model: "a", Aliases: []string{"a-latest"}, Price: flat(2)},
		{Model: "b", Resolutions: []string{"1k", "2k"}, Price: func(r *Request) (Money, bool) { return 4, r.Resolution != "2k" }},
		{Model: "old", EndOfLife: "2026-11-02", ServedBy: "b", Price: flat(4)},
	}
	a, b := Listed{Model: "a"}, Listed{Model: "b"}
	price := func(resolution string, m Money) Listed {
		return Listed{Model: "b", Prices: []ListedPrice{{Resolution: resolution, Price: m}}}
	}
	for name, tt := range map[string]struct {
		listed []Listed
		want   []string
	}{
		"the same, and what was to end has":        {[]Listed{b, a}, nil},
		"what was to end is another name":          {[]Listed{a, {Model: "b", Aliases: []string{"old"}}}, nil},
		"what was to end is there":                 {[]Listed{a, b, {Model: "old"}}, nil},
		"nothing at all":                           {nil, []string{"a: gone from the catalogue", "b: gone from the catalogue"}},
		"listed by an alias of ours":               {[]Listed{{Model: "a-latest", Aliases: []string{"a"}}, b}, nil},
		"another name of something":                {[]Listed{{Model: "b", Aliases: []string{"a"}}}, []string{"a: now a name of b"}},
		"a name counts more than an alias":         {[]Listed{a, {Model: "b", Aliases: []string{"a"}}}, nil},
		"unknown, by name":                         {[]Listed{{Model: "z"}, a, b, {Model: "y", Prices: []ListedPrice{{"", "", 9e8}, {"", "", 5e8}}}}, []string{"y: not known here; from $0.05", "z: not known here"}},
		"another price":                            {[]Listed{a, price("1k", 2e8)}, []string{"b at 1k: $0.02, known here as $0.0000000004"}},
		"a price that we do not know":              {[]Listed{a, price("2k", 2e8)}, []string{"b at 2k: $0.02, not known here"}},
		"of an option that we do not know":         {[]Listed{a, price("8k", 2e8)}, []string{"b at 8k: $0.02, not known here"}},
		"options where we have one price for all":  {[]Listed{{Model: "a", Prices: []ListedPrice{{"1k", "low", 2}}}, b}, nil},
		"one price for all where we have options":  {[]Listed{a, price("", 4)}, nil},
		"a catalogue without prices says no price": {[]Listed{a, b}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, d := range Compare(offers, tt.listed) {
				got = append(got, d.String())
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
