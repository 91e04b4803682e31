// Package lint says what would make the pictures of a project better, cheaper or
// safer, and is no error: prompts that say little, contradict themselves or hold
// what should not leave the house, text alternatives that are none, models that
// are gone, files that are heavy.
//
// # Promises
//
// It is deterministic and offline, needs no key and starts nothing. A rule has a
// code that stays, a severity that the project may change, and its documentation
// beside its code (imgbuild explain CODE).
//
// Only certain rules may fail a build: those that state a fact of the
// configuration, the lock or a model's offer. All that rests on lists of words is
// advice, and stays a warning at most, whatever the configuration says: lists are
// English, short and fallible, and a gate that is wrong is switched off with all
// the others. They are in words.go.
//
// What validate and plan tell under codes of their own is not told again.
//
// # What is read
//
// Prompts as they are sent, with the words of presets round them. What is
// sensitive is not looked at, for a finding quotes. A finding stands where the
// offending words are written out: in the image, or in the preset that adds them;
// else at the attribute.
//
// # What is not told
//
// Of what is found, that is left out which a comment ignores (ignore.go) and which
// the baseline has (baseline.go). Both say so when they are of no use any more.
//
// # Mending
//
// Some rules can mend what they find (fix.go), and only what is written out as
// plain text. A prompt that was paid for is never changed by a command: its next
// apply would buy again.
//
// It must not know the network, the store, or how a command prints. Called by cli.
package lint
