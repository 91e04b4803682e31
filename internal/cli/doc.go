// Package cli is the verbs: it reads flags, opens what a verb needs, calls the
// rooms below and turns what they return into text and exit codes.
//
// stdout is data, stderr is talk. Everything that a verb knows of the world
// comes through Env. One file holds one verb: its help, its flags and its run.
//
// Exit codes: 0 done or nothing to do, 1 error, 2 changes pending
// (-detailed-exitcode), 3 a check failed, 4 some images failed and the rest is
// done, 5 stopped by the budget, 6 stale plan, 64 usage, 130 interrupted. Where
// several hold: 130, 5, 4, 6.
package cli
