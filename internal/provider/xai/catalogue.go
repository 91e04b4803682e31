package xai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/imgbuild/imgbuild/internal/provider"
)

const (
	catalogueTime = 10 * time.Second
	maxCatalogue  = 4 << 20
	maxListed     = 10_000 // models, and prices of one
)

// wireModel is an element of the catalogue. image_price is left alone: its unit
// has been a cent, a hundredth of one and a tick.
type wireModel struct {
	ID      string   `json:"id"`
	Aliases []string `json:"aliases"`
	Pricing []struct {
		Resolution string      `json:"resolution"`
		Quality    string      `json:"quality"`
		Price      json.Number `json:"price_per_image"` // in ticks
	} `json:"pricing"`
}

// Catalogue asks which models the key may use. The key goes where that of a
// paid call goes, and no redirect is followed. Nothing is billed, so what would
// leave a paid call in doubt is NotSent here.
func (m *maker) Catalogue(ctx context.Context) ([]provider.Listed, error) {
	if err := m.ready(ctx); err != nil {
		return nil, err
	}
	outer := ctx
	ctx, cancel := context.WithTimeoutCause(ctx, catalogueTime, fmt.Errorf("no answer within %s", catalogueTime))
	defer cancel()
	body, err := m.askCatalogue(ctx)
	var failed *provider.Error
	switch {
	case outer.Err() != nil:
		return nil, outer.Err()
	case errors.As(err, &failed):
		return nil, failed
	case ctx.Err() != nil:
		return nil, m.failed(provider.NotSent, context.Cause(ctx))
	case err != nil:
		return nil, m.failed(provider.NotSent, err)
	}
	var top struct {
		Models []wireModel `json:"models"`
	}
	if err := lax(body, &top); err != nil || top.Models == nil || len(top.Models) > maxListed {
		return nil, &provider.Error{Kind: provider.NotSent, Status: 200, Message: "the catalogue can't be read"}
	}
	return m.listed(top.Models), nil
}

func (m *maker) askCatalogue(ctx context.Context) ([]byte, error) {
	u, err := url.Parse(m.endpoint.String() + "/image-generation-models")
	if err != nil {
		return nil, err
	}
	// No Client: no redirects and no cookies.
	resp, err := m.roundTrip((&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: m.header()}).WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		e := m.refusal(resp)
		switch {
		case resp.StatusCode/100 == 3:
			e.Kind, e.Hint = provider.Rejected, "no redirect is followed: write the endpoint that answers"
		case e.Kind == provider.InDoubt:
			e.Kind = provider.NotSent
		}
		return nil, e
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxCatalogue+1))
	if len(b) > maxCatalogue {
		err = errTooLong
	}
	return b, err
}

// listed keeps what has a name; foreign text is shortened, so that a catalogue
// can't fill a terminal.
func (m *maker) listed(models []wireModel) (out []provider.Listed) {
	short := func(s string) string {
		s = m.told(s[:min(len(s), maxError)])
		return s[:min(len(s), 100)]
	}
	for _, w := range models {
		if w.ID == "" {
			continue
		}
		l := provider.Listed{Model: short(w.ID)}
		for _, a := range w.Aliases[:min(len(w.Aliases), maxListed)] {
			l.Aliases = append(l.Aliases, short(a))
		}
		for _, p := range w.Pricing[:min(len(w.Pricing), maxListed)] {
			if price, ok := (&wireUsage{p.Price}).money(); ok {
				l.Prices = append(l.Prices, provider.ListedPrice{Resolution: short(p.Resolution), Quality: short(p.Quality), Price: price})
			}
		}
		out = append(out, l)
	}
	return out
}
