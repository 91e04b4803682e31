package provider

import (
	"slices"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// Offer tells what a model accepts and what it costs. It is data: known
// without a key and without the network.
type Offer struct {
	Provider string
	Model    string
	Aliases  []string

	Sizes        []Size   // exact pixels that may be asked for; nil if the model has only ratios
	AnySize      bool     // any size within MaxPixels may be asked for
	MaxPixels    int      // of any size; 0 if no limit is known
	AspectRatios []string // nil if the model has none
	Resolutions  []string // cheapest first, such as "1k", "2k"
	Qualities    []string // cheapest first
	Styles       []string // nil if the model knows no style parameter
	Mask         bool     // takes a mask with an edit
	User         bool     // takes an end-user id
	Alpha        bool     // makes transparent pixels where the prompt asks for them
	MaxN         int      // images a call, at least 1
	MaxInputs    int      // source pictures an edit; 0 if it can't edit
	MaxPrompt    int      // bytes; 0 if no limit is known

	// Pixels is the size that comes back for a ratio and a resolution, where
	// it is known; ok is false where only "about this many pixels" is known.
	Pixels func(aspectRatio, resolution string) (s Size, ok bool)

	// What is sent when the user says nothing. It is pinned in the lockfile.
	DefaultAspectRatio, DefaultResolution, DefaultQuality string

	// StyleWords are added to the prompt for a style that the wire does not
	// carry. Used only where Styles is nil.
	StyleWords map[string]string

	// Elsewhere is an edit by which a value of a field (aspect_ratio,
	// resolution, quality, user) that this offer does not take could be had;
	// "" if there is none. It may be nil.
	Elsewhere func(field, value string) string

	// Price is the price of one image of the request, in ticks, inputs
	// included; ok is false where none is known.
	Price func(r *Request) (m Money, ok bool)

	// Procedural: it draws by rules; no model was trained.
	Procedural bool

	AsOf      string // date of these facts, YYYY-MM-DD
	Source    string // where they are from
	EndOfLife string // date after which the model is gone, YYYY-MM-DD, or ""
	ServedBy  string // the model that answers for it after EndOfLife, or ""
	Note      string
}

// Free reports whether images of this offer never cost anything.
func (o *Offer) Free() bool {
	if o.Price == nil {
		return false
	}
	m, ok := o.Price(&Request{Provider: o.Provider, Model: o.Model, N: 1})
	return ok && m == 0
}

// TakesSize reports whether s may be sent as it is.
func (o *Offer) TakesSize(s Size) bool {
	if o.AnySize {
		return o.MaxPixels == 0 || s.Width <= o.MaxPixels/s.Height
	}
	return slices.Contains(o.Sizes, s)
}

// Image is what is known of a picture that a maker delivered and the store
// holds.
type Image struct {
	Content       digest.Content `json:"sha256"`
	MIME          string         `json:"mime"`
	Width         int            `json:"width"`  // pixels, measured
	Height        int            `json:"height"` // pixels, measured
	Bytes         int64          `json:"bytes"`
	Price         Money          `json:"price"`           // paid for this image
	Model         string         `json:"model,omitempty"` // that served it, where the reply says so
	RevisedPrompt string         `json:"revised_prompt,omitempty"`

	// What the file says of itself: that it has Content Credentials, and the code
	// of IPTC's digital source types in its XMP.
	C2PA       bool   `json:"c2pa,omitempty"`
	SourceType string `json:"digital_source_type,omitempty"`
}
