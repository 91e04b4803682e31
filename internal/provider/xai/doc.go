// Package xai makes images with the interface of xAI (and of servers that speak
// it), over REST or gRPC, without an SDK.
//
// It is called through provider.Maker by packages limit and all. It refuses to
// know configuration, lockfile and where bytes go.
//
// # Two wires
//
// The published page of the interface and the service itself disagree, so the
// configuration chooses. "documented" sends what the page says: size, style,
// a mask and multipart edits. "current" sends what the service takes today:
// JSON only, aspect_ratio, resolution and quality instead of a size, neither
// style nor mask. What a model takes under each wire is data, in offers.go.
//
// # Two transports
//
// REST is net/http. gRPC is connect-go (two modules; grpc-go would be six and
// twice the weight) over the same kind of connection, with the messages of
// package xaipb. It has one wire, that of today, without 21:9, 5:2, 1.5k and
// jobs, and its base64 is a data URL. Replies and refusals of both are brought
// into one form before anything is decided. Inline pictures of both are decoded
// and spooled as they arrive: a reply takes no more memory than its captions.
//
// # Jobs
//
// With deferred the answer to a POST is the id of a job, which the sink makes
// durable before the first poll. Polls are free: whatever goes wrong with them
// leaves the job Unfinished, for Resume. Only the job's own end, or a provider
// that does not know it any more (InDoubt), settles it.
//
// # Money
//
// A generation is a plain POST that may be billed as soon as it is read, and
// net/http repeats requests by itself when it thinks that it is safe. So every
// paid POST has a connection of its own, dialled before Sink.Sent is told;
// GetBody is nil, there is no Idempotency-Key, no redirect is followed and no
// HTTP/2 stream can be replayed. Whatever fails before Sent is NotSent;
// whatever fails after it, and is not a complete refusal, is InDoubt. The
// table of refusals is in refusal.go; codes of gRPC and of failed jobs go
// through it as the status that stands for them.
//
// Each tick is told exactly once: by Sink.Delivered for each image that came
// (also for one that the reply marks as moderated, among others that are
// good), or by the Error when nothing of the reply can be used. If the body is
// cut, images that had come completely are delivered before the InDoubt error.
//
// An error of the sink is returned wrapped, as it is: it is neither the
// provider's nor to be retried.
//
// # Fetch
//
// A result URL is foreign: only https, only public addresses (checked as
// dialled, so neither a spelling nor a name that changes gets around it), no
// redirect, no credentials, 64 MiB, and an end for what drips. The endpoint's
// own origin is exempt, and with a loopback endpoint all of loopback, also by
// http; private addresses stay refused. Errors of Fetch are *provider.Error:
// NotSent may be repeated (network, 5xx, cut body, a redirect), RateLimited
// after a wait, Unusable means that the picture is gone (403, 404, 410) or too
// large, Rejected that the URL is refused.
//
// # Proxies
//
// What the environment says of proxies holds for paid calls over both
// transports, polls, the catalogue and downloads; loopback is never asked
// through one. A paid call is told as sent only when the tunnel and TLS within
// it stand. Behind a proxy the check at the dial sees the proxy. So before a
// proxy is asked for a foreign host, the host is checked here: an address must
// be public, what looks like one in another spelling, has letters beyond ASCII
// or is a name of inner networks is refused, and so is a name that resolves
// here to an address that is not public. What remains is a name that this
// machine can't resolve, or that the proxy resolves to something else: the
// proxy may then connect to an inner address. Nothing is asked of it, as it has
// no certificate for the name, unless the user trusts one that has.
//
// # Keys
//
// A key is sent to the built-in host, to loopback and to hosts that the user
// trusts outside of the repository; New refuses every other endpoint. The
// provider's own name must lead to a public address, over either transport;
// where a host that the user trusts is, is the user's to say. The question for
// the catalogue of models follows no redirect either.
//
// Whatever form a server gives a key back in (escaped, encoded, cut into
// lines), no error and nothing that a sink is told contains it; neither the
// password of a proxy. A URL or a job id that repeats it can't be kept: the
// picture is unusable, the job in doubt. The bytes of a picture are not
// searched.
package xai
