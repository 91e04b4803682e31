// Package emulator is a server that speaks the wires of xAI's images, REST and
// gRPC on one port, with pictures of its own, made-up prices in the real units,
// and failures by script. The tests of the program run against it, and
// "imgbuild emulate" serves it to other people's clients.
//
// It promises the same answers for the same requests in the same order: no
// clock but the one it is given, no randomness. Two equal requests give
// different pictures, as they do in life. It counts what a provider would have
// billed, and when, so that a test can ask whether anything was paid twice.
//
// It refuses to know our own clients: it is held to recorded requests (see
// testdata/wire), not to what package xai happens to send.
//
// # Profiles
//
// "documented" does what the published page says: the three sizes, seven
// ratios, two styles, masks, edits as multipart or JSON. It also takes what the
// service of today takes. "current" is as strict as the service: 400 on size,
// style and mask, 415 on multipart, JPEG pictures.
//
// "openai" is OpenAI's Images API instead: the models gpt-image-2, 2.5 and 2.6,
// their sizes, qualities, backgrounds and formats (PNG and JPEG), base64 only,
// edits as multipart with masks, nested errors, tokens in the usage. It has the
// routes of generations, edits and models. It does not stream, and refuses what
// it does not know. "flag" and "placeholder" are images without bytes and blank,
// since this wire has no flag.
//
// # Routes
//
//	POST /v1/images/generations      GET /v1/models[/{id}]
//	POST /v1/images/edits            GET /v1/image-generation-models[/{id}]
//	GET  /v1/images/{request_id}     GET /_emulator/stats
//	GET  /images/{name}              GET /v1/api-key, /v1/me
//	POST /xai_api.Image/GenerateImage (gRPC)
//
// Image URLs carry the Host that the client used: some clients download from
// no other.
//
// # Deferred requests
//
// "deferred": true in a generation or an edit, with URLs only, is answered with
// {"request_id": "<uuid>"} and charged then. GET /v1/images/{request_id} answers
// 202 while it is pending (by turns without a body and with one), 200 with
// "status" "done" and what the plain answer has, or "failed" and an error, and 404
// if it is unknown or expired. A job is ready at once, unless a fault says
// otherwise. The newest jobs are kept, in 64 MiB.
//
// # gRPC
//
// The one method makes and, if the message has an image, edits. A message is
// turned into what a REST body is turned into, and goes the same way: the same
// profiles, prices and counts. base64 is a data URL. Refusals have the status of
// gRPC that stands for the one of HTTP: INVALID_ARGUMENT for 400, 413, 415 and
// 422, UNAUTHENTICATED for 401, PERMISSION_DENIED for 403, NOT_FOUND for 404,
// DEADLINE_EXCEEDED for 408 and 504, ABORTED for 409, FAILED_PRECONDITION for
// 412, RESOURCE_EXHAUSTED for 402 and 429, INTERNAL for 500, UNIMPLEMENTED for
// 501, UNAVAILABLE for 502, 503 and 529, UNKNOWN for the others. Messages of up
// to 144 MiB are taken: five pictures of 20 MiB.
//
// # Faults
//
// A faults file is a JSON array, read by ParseFaults. The first entry that
// matches a request and is not used up takes effect:
//
//	[
//	  {"match": {"path": "/v1/images/edits", "prompt_contains": "lake", "nth": 2}, "times": 1,
//	   "do": {"status": 429, "retry_after": "3"}}
//	]
//
// All of match may be left out. method is GET or POST; path is a path.Match
// pattern (or a folder, if it ends in "/"); prompt_contains means the POST that
// has the prompt or, if method is GET, the polls and downloads of what it made;
// nth counts the requests that match all these, from 1; times bounds how often
// the entry takes effect (0: always). The catalogue and whose key it is
// (/v1/models, /v1/image-generation-models, /v1/api-key, /v1/me) are only met by
// an entry with a path, and by its status, redirect, delay, drop and silent. do
// is any of
//
//	status, body, retry_after   answer with this, without making anything; body is text or JSON;
//	                            with html and no body, a page, as from a proxy in front
//	delay                       "1.5s": wait first
//	drop                        close the connection: "before-read" (of the body), "after-request",
//	                            "mid-body" (of the answer), "reset" (after the request, by RST)
//	silent                      true: read the request and never answer
//	truncate                    end the answer after so many bytes
//	drip                        "1s": send the answer in 32 pieces, each after this pause
//	moderated                   "400", "flag" (null images), "placeholder" or "empty"
//	n                           make so many images instead of those asked for
//	cost                        bill so many times the price
//	html, corrupt, wrong_size   true: what is served as the picture
//	expired                     true: its URL answers 403
//	redirect                    its URL answers 302 with this Location; with status, the request
//	                            itself is answered so
//	pending                     a deferred job is ready after so many polls,
//	ready_after                 and after "5s", by the server's clock
//	job                         how a deferred job ends: "expired" (404), or failed with the code
//	                            "invalid_argument", "permission_denied", "failed_precondition",
//	                            "service_unavailable" or "internal_error" (also "failed"); body is
//	                            the text
//	billed                      whether it is charged; by default status, "before-read" and a job
//	                            that failed are not, anything else is
//
// Faults of pictures may match the POST that makes them or the GET of /images/.
// Those of a deferred request are in what its job comes to: "400" is a job that
// failed, with the price. What is about an answer (status, delay, drop, silent,
// truncate, drip) is about the answer to the request that matches, a poll too.
//
// Over gRPC they mean the same, with these differences. status becomes that of
// gRPC, with the text of body (or its error, or error.message) as the message and
// retry_after as trailing metadata "retry-after"; with html it stays one of HTTP,
// from a proxy that knows no gRPC. A drop, and the end that truncate makes (in
// bytes of the frame, its prefix included), reset the stream and leave the
// connection to other calls; "reset" ends the connection. "400" is
// INVALID_ARGUMENT; "flag" gives images without url and base64, and
// respect_moderation is false there and with the placeholder. Nothing is
// deferred. In base64, as in b64_json, nothing expires and nobody is redirected.
// A message that is no protobuf is refused before any fault but "before-read".
package emulator
