// Package limit makes a maker wait its turn: so many requests in flight, so
// many started a minute, a pause for everybody when the provider says that it
// is too much, and another try where a try is free.
//
// Package all wraps every maker in it, one Wrap for each provider block, so
// that none starves another.
//
// # What is tried again
//
// Only what the class of the error declares to be free: RateLimited (after its
// RetryAfter, else with back-off; at most 8 tries, and none once the provider has
// refused everything for 10 minutes) and NotSent (3 tries). It refuses to touch everything else: a request that
// may have been billed is never sent again here. A try that comes again tells
// Sink.Sent again.
//
// Downloads have places of their own, so that a slow one never holds up a
// request. They are tried 4 times, and 3 times where the server has no such
// picture; the pieces of all tries together are the file once, in order, or
// Fetch fails.
package limit
