package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Cataloguer is a maker that can ask its provider which models there are
// today. It costs nothing. An error is a *Error or ctx.Err(): NotSent means
// that nobody answered as a catalogue would.
type Cataloguer interface {
	Catalogue(ctx context.Context) ([]Listed, error)
}

// WithCatalogue is m with the catalogue of the maker that it wraps, if that one
// has one.
func WithCatalogue(m, wrapped Maker) Maker {
	if c, ok := wrapped.(Cataloguer); ok {
		return struct {
			Maker
			Cataloguer
		}{m, c}
	}
	return m
}

// Listed is a model as the provider's catalogue has it.
type Listed struct {
	Model   string
	Aliases []string
	Prices  []ListedPrice // nil if the catalogue tells none
}

// ListedPrice is that of one image, without inputs.
type ListedPrice struct {
	Resolution, Quality string // "" if the price is the same for all
	Price               Money
}

// What a Difference is about.
const (
	Unknown    = "unknown"     // the catalogue has a model that no offer knows
	Gone       = "gone"        // the catalogue has an offered model no more
	ServedBy   = "served_by"   // an offered model is now another name of another one
	OtherPrice = "other_price" // offer and catalogue do not agree
	NewPrice   = "new_price"   // the catalogue has a price that the offer lacks
)

// Difference is one thing in which a catalogue disagrees with the offers.
type Difference struct {
	Kind       string `json:"kind"`
	Model      string `json:"model"`
	By         string `json:"by,omitempty"` // the model that Model is a name of
	Resolution string `json:"resolution,omitempty"`
	Quality    string `json:"quality,omitempty"`
	Listed     *Money `json:"listed,omitempty"`  // price of an image by the catalogue
	Offered    *Money `json:"offered,omitempty"` // and by the offer
}

func (d Difference) String() string {
	at := d.Model
	if option := strings.TrimSpace(d.Resolution + " " + d.Quality); option != "" {
		at += " at " + option
	}
	switch d.Kind {
	case Unknown:
		if d.Listed == nil {
			return at + ": not known here"
		}
		return fmt.Sprintf("%s: not known here; from %s", at, d.Listed)
	case Gone:
		return at + ": gone from the catalogue"
	case ServedBy:
		return fmt.Sprintf("%s: now a name of %s", at, d.By)
	case NewPrice:
		return fmt.Sprintf("%s: %s, not known here", at, d.Listed)
	}
	return fmt.Sprintf("%s: %s, known here as %s", at, d.Listed, d.Offered)
}

// Compare finds what has changed since the offers were written down: first by
// the offers, then what they do not know, by name. A model that was to end, and
// has, is as it was said.
func Compare(offers []Offer, listed []Listed) (out []Difference) {
	byName := map[string]*Listed{}
	for i := range listed {
		for _, a := range listed[i].Aliases {
			byName[a] = &listed[i]
		}
	}
	for i := range listed {
		byName[listed[i].Model] = &listed[i] // a name counts more than an alias
	}
	known := map[*Listed]bool{}
	for i := range offers {
		o := &offers[i]
		l := byName[o.Model]
		switch {
		case l == nil && o.EndOfLife == "":
			out = append(out, Difference{Kind: Gone, Model: o.Model})
		case l == nil:
		case l.Model != o.Model && !slices.Contains(o.Aliases, l.Model):
			if l.Model != o.ServedBy {
				out = append(out, Difference{Kind: ServedBy, Model: o.Model, By: l.Model})
			}
		default:
			known[l] = true
			out = append(out, prices(o, l)...)
		}
	}
	var unknown []Difference
	for i := range listed {
		l := &listed[i]
		isOffered := func(o Offer) bool { return o.Model == l.Model || slices.Contains(o.Aliases, l.Model) }
		if known[l] || slices.ContainsFunc(offers, isOffered) {
			continue
		}
		d := Difference{Kind: Unknown, Model: l.Model}
		for _, p := range l.Prices {
			if d.Listed == nil || p.Price < *d.Listed {
				d.Listed = &p.Price
			}
		}
		unknown = append(unknown, d)
	}
	slices.SortFunc(unknown, func(a, b Difference) int { return strings.Compare(a.Model, b.Model) })
	return append(out, unknown...)
}

// prices compares those of a model that both know.
func prices(o *Offer, l *Listed) (out []Difference) {
	for _, p := range l.Prices {
		d := Difference{Model: o.Model, Resolution: p.Resolution, Quality: p.Quality, Listed: &p.Price}
		// An offer without resolutions has one price for whatever is served.
		takes := func(options []string, option string) bool {
			return option == "" || len(options) == 0 || slices.Contains(options, option)
		}
		ours, ok := Money(0), takes(o.Resolutions, p.Resolution) && takes(o.Qualities, p.Quality)
		if ok {
			ours, ok = o.Price(&Request{Provider: o.Provider, Model: o.Model, Resolution: p.Resolution, Quality: p.Quality, N: 1})
		}
		switch {
		case !ok:
			d.Kind = NewPrice
		case ours != p.Price:
			d.Kind, d.Offered = OtherPrice, &ours
		default:
			continue
		}
		out = append(out, d)
	}
	return out
}
