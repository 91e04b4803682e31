// Package sketch is the maker that is built in: offline, free and
// deterministic. It draws with package paint, for previews, for CI and for
// first steps without a key; the registry of makers calls it.
//
// It promises the same pixels for the same request and candidate on every
// machine. The name of the model carries the version of the pictures: whoever
// changes what is drawn adds a model, and old lockfiles keep theirs.
//
// Equal prompts of different requests give different pictures, because the
// seed is taken from the digest of the request. Candidate k of a request is
// the same whether it was asked for alone or with others.
//
// It refuses sizes over 64 megapixels and requests with fields that its offer
// does not have.
package sketch
