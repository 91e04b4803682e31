// Package spec is the desired image as plain Go: address, wish, request,
// recipes and edges. Configuration becomes specs and is then forgotten; specs
// are compared with the lock by package plan.
//
// A wish (Wanted) becomes a provider.Request by Resolve, which fits it to the
// model's offer. What the offer does not take is either fulfilled on our side,
// and then part of a recipe and never of the request, or a Problem: nothing is
// dropped silently.
//
// A recipe is one line of text that names every free, local step from a
// candidate to an output file: "fit=cover format=jpeg height=360 quality=80
// width=640". The text is its own identity: it stands in the lock as it is,
// where a person and a diff can read it. It names no encoder and no version.
//
// The package must never know HCL, cty, the disk or the clock.
package spec
