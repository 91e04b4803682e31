// Package report shows a plan, what became of it and how tests ended: as text for
// people, as JSON for programs, and as JUnit's XML. It is given values and a writer; how images are made, and
// which command asks, it does not know.
//
// All foreign text goes through diag.Clean before it is shown.
package report
