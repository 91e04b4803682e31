// Package providertest is what every maker of images must pass: a list of
// checks, each with what it shows and what it pays for. The tests of a maker
// run them in about fifteen lines (Run), and "imgbuild doctor" runs them for
// users against the service itself, which is why the package does not import
// testing. The recording sink that the checks look at serves the tests of
// whoever calls makers, too.
//
// It asserts only what provider.Maker, provider.Cataloguer and provider.Offer
// promise, so it refuses to know any wire: the caller brings a maker and
// requests that it takes, of its own or from Requests.
//
// # Money
//
// A check that is free sends no request that could be billed. Free checks come
// first in Checks, so that whoever pays knows by then that the key is taken and
// that the endpoint can be reached. What a check pays for is told by Cost
// before it runs; a retry after a 429 owes nothing.
package providertest
