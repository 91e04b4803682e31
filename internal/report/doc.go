// Package report shows a plan, what became of it, how tests ended, and what is
// between two states of a project: as text for people, as JSON for programs, as
// Markdown for a forge, and as JUnit's XML. It is given values and a writer; how
// images are made, and which command asks, it does not know.
//
// What a diff and a plan show in Markdown and JSON is one Model, whose schema is
// report.schema.json. In Markdown all foreign text stands in code spans.
//
// All foreign text goes through diag.Clean before it is shown.
package report
