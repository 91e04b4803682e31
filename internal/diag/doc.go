// Package diag is findings about the user's files as data: severity, a stable
// code, where, one plain sentence, the values involved and a hint that is an
// edit or a command. Findings are collected, freed of repeats, sorted by
// position and shown all at once, as text or JSON.
//
// It must not know how a command prints: it is given a writer and the source.
package diag
