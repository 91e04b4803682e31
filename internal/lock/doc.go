// Package lock holds imgbuild.lock.json: what we had. It is committed, so it
// promises:
//
//   - It names no time, host, serial or total, and its bytes depend on its
//     content alone: sorted by address, indented, one fact a line where a
//     person changes it, so that git merges it and a diff of one changed image
//     is short.
//   - It is whole-old or whole-new at each instant, written beside itself, synced
//     and renamed by package workspace (rows each file-system operation and power
//     cut during apply of internal/torture).
//   - It is read strictly: an unknown key, a repeated key, a newer format, a
//     conflict marker or a torn file is a finding with its line, never read as
//     "nothing there".
//   - It keeps the resolved fields of each request, so that an upgrade of
//     imgbuild or of its offers never buys anything by itself, and so that a
//     plan can say what changed.
//   - A merge loses nothing that was paid for. Merge of two locks is a lock, and
//     the same one whichever side is called ours; merging a side with what it
//     came from changes nothing; candidates that both sides have for one request
//     are all kept; no path gets two owners; what no longer is recorded is told
//     with its price, and what nothing decides is a conflict that names both
//     sides, never a guess (TestMergeProperties). The markers that Text writes
//     hold both sides again, for Split reads those of git.
//
// Merge knows the configuration only as a function that judges an entry. A
// merge driver has none, since the files of the configuration may be half
// merged while git runs it: it settles what needs no judge.
//
// An approval is somebody's yes to a picture by its content: it never matches
// another one, and no plan looks at it. A merge makes none up; where both sides
// gave one, that of the picture in use stays.
//
// It has no checksum, which git could not merge: imgbuild doctor compares each
// fact with whoever else knows it (the request with its fields, a candidate with
// the record of its purchase, an output with its file, the rest with a plan), and
// finds every flipped bit but one in the name of an encoder, or in what an
// approval says of people or of a picture that is gone. Salvage takes what
// can be read out of a damaged file; nothing but a repair may use it.
//
// The parser is our own because it is on the path of every plan: it reads
// 10,000 entries in a few milliseconds, points into the file instead of
// copying it, and gives a line for each complaint. Package plan compares; this
// package must never know the plan.
package lock
