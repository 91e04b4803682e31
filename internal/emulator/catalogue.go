package emulator

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

type catalogued struct {
	ID               string    `json:"id"`
	Aliases          []string  `json:"aliases"`
	Object           string    `json:"object"`
	Created          int64     `json:"created"`
	OwnedBy          string    `json:"owned_by"`
	InputModalities  []string  `json:"input_modalities"`
	OutputModalities []string  `json:"output_modalities"`
	MaxPromptLength  int       `json:"max_prompt_length"`
	Pricing          []pricing `json:"pricing"`
}

type pricing struct {
	Quality    string `json:"quality,omitempty"`
	Resolution string `json:"resolution,omitempty"`
	Price      int64  `json:"price_per_image"`
}

func catalogue(m model) catalogued {
	c := catalogued{
		ID: m.name, Aliases: []string{}, Object: "model", Created: m.created, OwnedBy: "xai",
		InputModalities: []string{"text", "image"}, OutputModalities: []string{"image"}, MaxPromptLength: m.maxPromptLength,
	}
	if m.alias != "" {
		c.Aliases = append(c.Aliases, m.alias)
	}
	for key, ticks := range m.prices {
		resolution, quality, _ := strings.Cut(key, " ")
		c.Pricing = append(c.Pricing, pricing{quality, resolution, ticks})
	}
	slices.SortFunc(c.Pricing, func(a, b pricing) int {
		return cmp.Or(cmp.Compare(a.Resolution, b.Resolution), cmp.Compare(a.Quality, b.Quality))
	})
	return c
}

func (s *Server) models(w http.ResponseWriter, r *http.Request) {
	if no := s.authorize(r); no != nil {
		no.answer(w)
		return
	}
	var all []catalogued
	for _, m := range models {
		all = append(all, catalogue(m))
	}
	if strings.HasSuffix(r.URL.Path, "image-generation-models") {
		writeJSON(w, 200, map[string]any{"models": all})
		return
	}
	writeJSON(w, 200, map[string]any{"object": "list", "data": all})
}

func (s *Server) model(w http.ResponseWriter, r *http.Request) {
	no := s.authorize(r)
	m, ok := modelNamed(r.PathValue("id"))
	if no == nil && !ok {
		no = &wrong{status: 404, code: notFound, text: "The model does not exist."}
	}
	if no != nil {
		no.answer(w)
		return
	}
	writeJSON(w, 200, catalogue(m))
}
