package sketch

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/paint"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// New is a maker that draws. It has no state.
func New() provider.Maker { return maker{} }

type maker struct{}

func (maker) Offer(name string) (provider.Offer, bool) { return Offer(name) }

func (maker) Make(ctx context.Context, r *provider.Request, s provider.Sink) (provider.Reply, error) {
	defer s.Room(memory(r))()
	order, err := orderOf(r)
	if err != nil {
		return provider.Reply{}, &provider.Error{Kind: provider.Rejected, Message: err.Error(), Priced: true}
	}
	if err := ctx.Err(); err != nil {
		return provider.Reply{}, err
	}
	if err := s.Sent(); err != nil {
		return provider.Reply{}, err
	}
	for i := range r.N {
		if err := ctx.Err(); err != nil {
			return provider.Reply{}, err
		}
		order.Seed = seed(r.Digest(), r.First+i)
		if err := deliver(s, i, paint.Draw(order)); err != nil {
			return provider.Reply{}, err
		}
	}
	return provider.Reply{Model: model, Priced: true}, nil
}

func deliver(s provider.Sink, i int, p *imaging.Picture) error {
	w, err := s.Spool(i)
	if err != nil {
		return err
	}
	if _, err := p.Encode(w, "png", 0, true); err != nil {
		w.Close()
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return s.Delivered(i, provider.Delivery{MIME: "image/png", Model: model}, 0)
}

// seed makes each candidate of each request another picture.
func seed(of digest.Request, candidate int) uint64 {
	name := digest.OfContent(fmt.Appendf(nil, "%s %d", of, candidate))
	return binary.BigEndian.Uint64(name[:])
}

// limits are no stricter than those of who asks, who has held the pictures
// against them.
var limits = imaging.LimitsOf(imaging.Most)

// memory is the bytes, about, that r takes.
func memory(r *provider.Request) (n int64) {
	var base imaging.Info
	for i, in := range r.Inputs {
		n = max(n, imaging.Memory(in.Data, limits))
		if i == 0 {
			base, _ = imaging.Measure(in.Data, limits)
			continue
		}
		w, h := paint.Canvas(base.Width, base.Height)
		n += 4 * int64(w) * int64(h)
	}
	if r.Mask != nil {
		n += int64(base.Width) * int64(base.Height)
	}
	size, err := sizeOf(r, provider.Size{Width: base.Width, Height: base.Height})
	if err != nil {
		return 0 // nothing is drawn
	}
	return n + paint.Memory(size.Width, size.Height, base.Width, base.Height)
}

// orderOf says what to draw for r, or what is wrong with it.
func orderOf(r *provider.Request) (paint.Order, error) {
	offer, ok := Offer(r.Model)
	switch {
	case !ok:
		return paint.Order{}, fmt.Errorf("no model %q, only %q", r.Model, model)
	case r.N < 1 || r.N > offer.MaxN:
		return paint.Order{}, fmt.Errorf("n is %d, not 1 to %d", r.N, offer.MaxN)
	case r.Style != "" && !slices.Contains(offer.Styles, r.Style):
		return paint.Order{}, fmt.Errorf("no style %q", r.Style)
	case r.Quality != "":
		return paint.Order{}, fmt.Errorf("no quality %q: there is only one", r.Quality)
	case r.User != "":
		return paint.Order{}, fmt.Errorf("no end users")
	case len(r.Inputs) > offer.MaxInputs:
		return paint.Order{}, fmt.Errorf("%d inputs, the most is %d", len(r.Inputs), offer.MaxInputs)
	case r.Mask != nil && !r.IsEdit():
		return paint.Order{}, fmt.Errorf("a mask without a picture to edit")
	}
	o := paint.Order{Prompt: r.Prompt, Style: r.Style}
	for i, in := range r.Inputs {
		p, _, err := imaging.Decode(in.Data, limits)
		if err != nil {
			return paint.Order{}, fmt.Errorf("input %d: %w", i+1, err)
		}
		if i == 0 {
			o.Base = p
			continue
		}
		w, h := paint.Canvas(o.Base.Width(), o.Base.Height())
		o.More = append(o.More, imaging.Fit(p, w, h, "cover", true)) // no more of it is needed
	}
	if r.Mask != nil {
		m, err := imaging.ReadMask(r.Mask.Data, "transparent", limits)
		if err != nil {
			return paint.Order{}, err
		}
		if m.Width() != o.Base.Width() || m.Height() != o.Base.Height() {
			return paint.Order{}, fmt.Errorf("mask of %dx%d pixels for a picture of %dx%d", m.Width(), m.Height(), o.Base.Width(), o.Base.Height())
		}
		o.Mask = m
	}
	var base provider.Size
	if o.Base != nil {
		base = provider.Size{Width: o.Base.Width(), Height: o.Base.Height()}
	}
	size, err := sizeOf(r, base)
	o.Width, o.Height = size.Width, size.Height
	return o, err
}

// sizeOf is the size that r asks for; an edit that asks for none keeps the
// size of its picture, base.
func sizeOf(r *provider.Request, base provider.Size) (provider.Size, error) {
	size, ok := r.Size, true
	switch {
	case !size.IsZero():
	case !base.IsZero() && r.AspectRatio == "" && r.Resolution == "":
		return base, nil
	case !base.IsZero() && r.AspectRatio == "":
		size, ok = ofArea(float64(base.Width)/float64(base.Height), r.Resolution)
	default:
		size, ok = pixels(r.AspectRatio, r.Resolution)
		ok = ok && (r.AspectRatio == "" || slices.Contains(ratios, r.AspectRatio))
	}
	if !ok {
		return size, fmt.Errorf("no aspect ratio %q with resolution %q", r.AspectRatio, r.Resolution)
	}
	if size.Width < 1 || size.Height < 1 || size.Width > maxPixels/size.Height {
		return size, fmt.Errorf("size %dx%d is not within %d pixels", size.Width, size.Height, maxPixels)
	}
	return size, nil
}

func (maker) Resume(context.Context, string, *provider.Request, provider.Sink) (provider.Reply, error) {
	return provider.Reply{}, &provider.Error{Kind: provider.Rejected, Message: "sketch has no jobs: it delivers at once", Priced: true}
}

func (maker) Fetch(context.Context, string, io.Writer) error {
	return &provider.Error{Kind: provider.Rejected, Message: "sketch has no URLs: it delivers bytes", Priced: true}
}
