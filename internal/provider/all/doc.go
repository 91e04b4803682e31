// Package all is the registry of makers: an explicit list, without init
// functions and blank imports. The command line asks it for offers (as pure
// data, for plan and validate) and for makers (for apply), which come wrapped by
// package limit.
//
// It is the only room that knows every maker, and it refuses to read the
// environment by itself: what it may see is in Env.
//
// # Adding a maker
//
// Write the package below provider, let it pass providertest, and give it a
// row in kinds.
package all
