// Package storetest is the conformance suite of stores: what every store
// promises, on a sound disk, on one that fails at any operation, and after a
// power cut. An implementation runs it with a function that opens it.
package storetest
