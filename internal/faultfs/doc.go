// Package faultfs breaks file systems, for tests: a wrapper that fails the n-th
// operation, ends the process there, cuts everything off from it on, leaves a
// disk that is full or can't be written, or writes too little or wrong; and a
// disk in memory that forgets at a power cut what was not synced.
//
// Only tests, the conformance suites and the torture call it. The disk is harsher than the
// usual ones: names may be lost or kept one by one until their folder is synced,
// and of unsynced data any 512-byte sector may be missing. It knows no links and
// no permissions, so it never stands in for a test on a real disk.
//
// The usual test runs its subject for n = 1, 2, … until the fault is not
// reached any more (see Each), and then asks whether what is left is the whole
// old or the whole new state.
package faultfs
