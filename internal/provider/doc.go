// Package provider says what a maker of images is: the request that it takes,
// the offer that tells what a model accepts and costs, the classes of outcome
// of a call, and the sink to which a maker reports each thing as it happens.
//
// It knows neither configuration nor lockfile nor where bytes go. Makers live
// in packages below this one and never import each other.
//
// # Money and outcomes
//
// Every call ends in one of these classes, and the class alone decides what
// may happen next:
//
//	not sent     name, dial or TLS failed, or the request was not fully written: free, may be repeated
//	rejected     a complete 4xx: priced by the body or the provider's table; repeated only on 429
//	accepted     a job id came: never sent again, polled
//	delivered    a URL or bytes, complete: paid, never repeated
//	unusable     delivered but moderated, corrupt or too few: paid, not repeated without being asked
//	in doubt     5xx, time-out, reset, cut body after the first byte left: unknown, held
package provider
