// Package providertest is what every maker of images must pass, in about
// fifteen lines of its own tests, and the recording sink that those tests, and
// the tests of whoever calls makers, look at.
//
// It asserts only what provider.Maker promises, so it refuses to know any
// wire: the caller brings a maker and requests that it takes.
package providertest
