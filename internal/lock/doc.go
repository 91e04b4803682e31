// Package lock holds imgbuild.lock.json: what we had. It is committed, so it
// promises:
//
//   - It names no time, host, serial or total, and its bytes depend on its
//     content alone: sorted by address, indented, one fact a line where a
//     person changes it, so that git merges it and a diff of one changed image
//     is short.
//   - It is read strictly: an unknown key, a repeated key, a newer format, a
//     conflict marker or a torn file is a finding with its line, never read as
//     "nothing there".
//   - It keeps the resolved fields of each request, so that an upgrade of
//     imgbuild or of its offers never buys anything by itself, and so that a
//     plan can say what changed.
//
// The parser is our own because it is on the path of every plan: it reads
// 10,000 entries in a few milliseconds, points into the file instead of
// copying it, and gives a line for each complaint. Package plan compares; this
// package must never know the plan.
package lock
