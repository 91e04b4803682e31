// Package digest holds the two kinds of 32-byte names that imgbuild gives to
// things, as two types that do not convert into each other by accident.
//
// A Content names bytes: it is their SHA-256, printed as 64 hexadecimal
// digits, so that sha256sum, git-lfs and OCI tools agree with it.
//
// A Request names what is paid for: it is the SHA-256 of the canonical text of
// a provider request, printed as "r1:" and 64 hexadecimal digits, where "r1"
// is the version of the canonical text. The package does not know what is
// hashed.
package digest
