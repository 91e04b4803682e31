// Package conformance proves imgbuild emulate by clients that no one here
// wrote: a server that they accept speaks the API, and not just what our own
// client sends. "make conformance" runs it.
//
// It holds the Go clients, as tests, and protogen, which makes the Go code of
// internal/xaipb; js/ holds the JavaScript clients. Each test starts the built
// program (bin/imgbuild) on a free port of loopback, looks at the pictures that
// come, and asks the emulator what it would have billed.
//
// It is a module of its own so that no version of a client is one of
// imgbuild's: go.mod and package.json pin them, and change with nothing else.
package conformance
