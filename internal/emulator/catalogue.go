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
	c.Aliases = append(c.Aliases, m.aliases...)
	for key, ticks := range m.prices {
		resolution, quality, _ := strings.Cut(key, " ")
		c.Pricing = append(c.Pricing, pricing{quality, resolution, ticks})
	}
	slices.SortFunc(c.Pricing, func(a, b pricing) int {
		return cmp.Or(cmp.Compare(a.Resolution, b.Resolution), cmp.Compare(a.Quality, b.Quality))
	})
	return c
}

func (s *Server) models(w http.ResponseWriter, r *http.Request) *wrong {
	var all []catalogued
	for _, m := range models {
		all = append(all, catalogue(m))
	}
	if strings.HasSuffix(r.URL.Path, "image-generation-models") {
		writeJSON(w, 200, map[string]any{"models": all})
	} else {
		writeJSON(w, 200, map[string]any{"object": "list", "data": all})
	}
	return nil
}

func (s *Server) model(w http.ResponseWriter, r *http.Request) *wrong {
	m, ok := modelNamed(models, r.PathValue("id"))
	if !ok {
		return &wrong{status: 404, code: notFound, text: "The model does not exist."}
	}
	writeJSON(w, 200, catalogue(m))
	return nil
}

// apiKey and me tell whose key it is: the cheapest way to try one.
func (s *Server) apiKey(w http.ResponseWriter, r *http.Request) *wrong {
	writeJSON(w, 200, struct {
		Redacted    string   `json:"redacted_api_key"`
		ID          string   `json:"api_key_id"`
		Name        string   `json:"name"`
		UserID      string   `json:"user_id"`
		TeamID      string   `json:"team_id"`
		ACLs        []string `json:"acls"`
		Blocked     bool     `json:"api_key_blocked"`
		Disabled    bool     `json:"api_key_disabled"`
		TeamBlocked bool     `json:"team_blocked"`
	}{"xai-...", "emulated-key", "rehearsal", "emulated-user", "emulated-team", []string{"api-key:endpoint:*", "api-key:model:*"}, false, false, false})
	return nil
}

func (s *Server) me(w http.ResponseWriter, r *http.Request) *wrong {
	writeJSON(w, 200, map[string]string{"user_id": "emulated-user", "team_id": "emulated-team"})
	return nil
}
