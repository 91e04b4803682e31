package diag

import (
	"cmp"
	"slices"
)

// Severity of a finding.
type Severity string

const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info" // advice: nothing ever fails for it
)

// Pos is a place in a file. Line and Column count from 1, Column in characters
// as a person counts them; Byte counts from 0.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Range is a stretch of a file, End exclusive. File is a slash path from the
// root. A Range with only a File stands for the whole file.
type Range struct {
	File  string `json:"file"`
	Start Pos    `json:"start"`
	End   Pos    `json:"end"`
}

// Value is an expression that took part, and what it was.
type Value struct {
	Expression string `json:"expression"` // var.size
	Text       string `json:"text"`       // is "10x"
}

// Related is another place that belongs to the finding, such as the first of
// two equal names or an edge of a cycle.
type Related struct {
	Range Range  `json:"range"`
	Text  string `json:"text"`
}

// Finding is one thing to say about the user's files.
type Finding struct {
	Severity Severity  `json:"severity"`
	Code     string    `json:"code"`              // stable, such as "IB0203"
	Address  string    `json:"address,omitempty"` // of the image it is about
	Text     string    `json:"text"`              // one sentence that starts with the thing
	Hint     string    `json:"hint,omitempty"`    // an edit or a command
	Range    *Range    `json:"range,omitempty"`
	Values   []Value   `json:"values,omitempty"`
	Related  []Related `json:"related,omitempty"`
}

// List is findings. It is deliberately not an error: a nil list inside an
// error interface is not nil.
type List []Finding

// HasErrors reports whether any finding is an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(f Finding) bool { return f.Severity == Error })
}

// Sorted returns the findings by file and position, those without a place
// last, and each only once.
func (l List) Sorted() List {
	out := slices.Clone(l)
	slices.SortStableFunc(out, func(a, b Finding) int {
		if (a.Range == nil) != (b.Range == nil) {
			if a.Range == nil {
				return 1
			}
			return -1
		}
		if a.Range != nil {
			if c := cmp.Or(cmp.Compare(a.Range.File, b.Range.File), cmp.Compare(a.Range.Start.Byte, b.Range.Start.Byte)); c != 0 {
				return c
			}
		}
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Text, b.Text))
	})
	return slices.CompactFunc(out, func(a, b Finding) bool {
		return a.Code == b.Code && a.Text == b.Text && a.Address == b.Address &&
			(a.Range == b.Range || a.Range != nil && b.Range != nil && *a.Range == *b.Range)
	})
}
