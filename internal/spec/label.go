package spec

import (
	"encoding/hex"
	"strconv"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// Codes of IPTC's digital source types that a label may have.
const (
	SourceTrained     = "trainedAlgorithmicMedia"
	SourceComposite   = "compositeWithTrainedAlgorithmicMedia" // with parts that no model made
	SourceAlgorithmic = "algorithmicMedia"                     // drawn by rules
	SourceSynthetic   = "compositeSynthetic"                   // rules have drawn into something else
)

// Label is what an output that is encoded here says of itself in its metadata.
// An output that is a copy of its candidate, byte for byte, has none: a
// provider's own metadata, which may be signed, stay as they came.
type Label struct {
	SourceType string `json:"digital_source_type,omitempty"`
	Credit     string `json:"credit,omitempty"`
	License    string `json:"license,omitempty"`
	Alt        string `json:"alt,omitempty"`
	Caption    string `json:"caption,omitempty"`
}

// Digest is how a recipe names a label: "" for one that says nothing. How a
// label is written into a file is not in it, so that an upgrade which writes it
// otherwise renders nothing again.
func (l Label) Digest() string {
	if l == (Label{}) {
		return ""
	}
	text := append(make([]byte, 0, 256), "label v1\n"...)
	for _, s := range [...]string{l.SourceType, l.Credit, l.License, l.Alt, l.Caption} {
		text = append(strconv.AppendQuote(text, s), '\n')
	}
	sum := digest.OfContent(text)
	return hex.EncodeToString(sum[:8])
}

// SourceType is the code for a picture that a maker made: procedural tells
// whether that draws by rules, and from are the codes of what it edited, "" for
// a photograph or anything else that nobody knows the making of.
func SourceType(procedural bool, from []string) string {
	trained, foreign := !procedural, false
	for _, t := range from {
		trained = trained || t == SourceTrained || t == SourceComposite
		foreign = foreign || t != SourceTrained && t != SourceAlgorithmic
	}
	switch {
	case trained && (foreign || procedural):
		return SourceComposite
	case trained:
		return SourceTrained
	case foreign:
		return SourceSynthetic
	}
	return SourceAlgorithmic
}

// Generated reports whether a code is that of a picture which a model or a program
// made, or parts of it. That of an imported file may say anything.
func Generated(code string) bool {
	return code == SourceTrained || code == SourceComposite || code == SourceAlgorithmic || code == SourceSynthetic
}

// labelled reports whether a label can be written into a format.
func labelled(format string) bool { return format == "png" || format == "jpeg" || format == "webp" }

// SameButLabel reports whether two recipes differ in nothing but the label: then
// one is made from a file of the other, without its original.
func SameButLabel(a, b string) bool { return withoutLabel(a) == withoutLabel(b) }
