// Package report shows a plan and what became of it: as text for people, as
// JSON for programs. It is given values and a writer; how images are made, and
// which command asks, it does not know.
//
// All foreign text goes through diag.Clean before it is shown.
package report
