// Command torture attacks imgbuild and holds it to its promises of safety (see
// package apply). `make torture` runs it; a developer calls nothing here from
// other code.
//
// It promises:
//
//   - Counts, not adjectives: each row is an attack, made so many times, with
//     what was seen and what must hold. One violation ends it with exit code 1.
//   - The attacks of a row are made in batches. Each leaves a line with commit,
//     seed and counts in a file outside the repository, so that long counts are
//     gathered over several runs; -report prints their sums. `-rows NAME -seed N`
//     makes the batch of a seed again, and saves nothing. A row whose attacks
//     differ by number makes each once, and needs -from too.
//   - A row whose program is absent, or that this machine does not let do what it
//     must (mount, say), is "not run", never green.
//   - `go test ./internal/torture` makes each attack a few times.
//   - -peers kills other programs that keep a record, too, with built-in things
//     of theirs that cost nothing, and looks at no more than what they do.
//
// This executable is its own victim: with IMGBUILD_TORTURE_VICTIM set it is
// imgbuild, in a process that can be killed, starved and watched. What it talks
// to is package emulator, in the process of the attacker, whose ledger can't be
// fooled by it.
package main
