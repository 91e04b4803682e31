// Package plan decides: it compares what is wanted (specs) with what we had
// (the lock), what is on disk, what was already bought and what is under way,
// and says what to do, why and for how much. Apply obeys.
//
// Make is a pure function: no I/O, no clock, no HCL, no layout of text. Where
// it needs to know something that only the disk can tell and that a plan with
// nothing to do never needs (was this request bought before, is this original
// on a tier, what are the bytes of that file, does this picture do what the
// postconditions ask), it lists the question in
// Plan.Asks; the caller answers and calls again. The number of rounds is
// bounded by the longest chain of edits.
//
// # Verbs
//
// Paid: Generate, Edit. Free: Import, Render, Restore, Move, Delete, Forget, and
// Record (a postcondition refuses what was paid for; no file is written).
// Standing, nothing is done: Resume (paid for and not fetched yet: apply fetches it
// before it plans), Hold (sent and not answered), Refused (paid for
// and unusable, or against a postcondition, which each plan asks anew), Conflict
// (a file that is not ours), Missing (an original is on no tier), Protected (it
// would take away what must stay; a plan with one is shown and not carried out).
// No standing step turns into a purchase by itself.
//
// # Whose candidates
//
// A request digest does not name an address, so a renamed image, a reverted
// prompt and a switched branch find what was bought. Candidates that another
// image of the configuration holds are taken: equal requests at two addresses
// are separate rolls unless both say share = true.
//
// # Labels
//
// What a file is to say of itself stands in the step; its recipe names it by a
// digest. A copy of a candidate has no label unless it is asked for, but whether a
// file will be a copy is known only with the candidate: the recipe of one that is
// still to be bought has the label, and apply settles it. Where nothing but the
// label differs the step says so (Output.Relabel), and needs no original.
package plan
