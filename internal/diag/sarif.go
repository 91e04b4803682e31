package diag

import (
	"encoding/json"
	"io"
	"net/url"
	"slices"
)

// Columns are counted as people count characters, which SARIF calls code
// points; the two differ only within joined characters.

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool     `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID    string     `json:"id"`
	Short *sarifText `json:"shortDescription,omitempty"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	Rule      string          `json:"ruleId"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
	Related   []sarifLocation `json:"relatedLocations,omitempty"`
}

type sarifLocation struct {
	ID       int           `json:"id,omitempty"`
	Message  *sarifText    `json:"message,omitempty"`
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact struct {
		URI string `json:"uri"`
	} `json:"artifactLocation"`
	Region *sarifRegion `json:"region,omitempty"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn"`
	EndLine     int `json:"endLine"`
	EndColumn   int `json:"endColumn"`
}

// SARIF writes the findings as a log of SARIF 2.1.0 (OASIS), for code scanning
// of forges. means tells what a code means; "" if it is not known.
func (l List) SARIF(w io.Writer, version string, means func(code string) string) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "imgbuild", Version: version, Rules: []sarifRule{}}
	for _, f := range l.Sorted() {
		if !slices.ContainsFunc(run.Tool.Driver.Rules, func(r sarifRule) bool { return r.ID == f.Code }) {
			rule := sarifRule{ID: f.Code}
			if text := means(f.Code); text != "" {
				rule.Short = &sarifText{text}
			}
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule)
		}
		r := sarifResult{Rule: f.Code, Level: string(f.Severity), Message: sarifText{f.Text}}
		if f.Severity == Info {
			r.Level = "note"
		}
		if f.Hint != "" {
			r.Message.Text += ". Hint: " + f.Hint
		}
		if f.Range != nil {
			r.Locations = []sarifLocation{locationOf(*f.Range)}
		}
		for i, other := range f.Related {
			at := locationOf(other.Range)
			at.ID, at.Message = i+1, &sarifText{other.Text}
			r.Related = append(r.Related, at)
		}
		run.Results = append(run.Results, r)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

func locationOf(r Range) (out sarifLocation) {
	out.Physical.Artifact.URI = (&url.URL{Path: r.File}).EscapedPath()
	if r.Start.Line > 0 {
		out.Physical.Region = &sarifRegion{r.Start.Line, r.Start.Column, max(r.End.Line, r.Start.Line), max(r.End.Column, 1)}
	}
	return out
}
