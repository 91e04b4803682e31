// Package apply carries out a plan: in the order of its edges, with bounded
// work, within its budgets, and so that no reply that was paid for is lost and no
// request that was answered is paid for again.
//
// # Promises
//
// Each stands with what holds it: a row of internal/torture, or a test.
//
//  1. A reply that arrived is never lost, whatever dies when: it is in the store
//     and in the journal, synced, before anything else may fail. (rows SIGKILL
//     during apply, each file-system operation, power cut during apply;
//     TestDiesAfterReceipt)
//  2. A request that was answered is never paid for again. One that was sent and
//     not answered is in doubt: journaled before it was sent, told with address,
//     age and price, resumed where the provider gave a job id, else held and
//     repeated only when asked. (the same rows, each fault of the emulator;
//     TestFaults, TestFaultsOfASavedPlan)
//  3. Lock, journal, store and outputs are whole-old or whole-new at each
//     instant; a damaged one is told and mended from the others, never read as
//     "nothing there". (rows each file-system operation, power cut during apply,
//     ENOSPC, EIO; TestBitRot, scripts doctor_*; see also package lock)
//  4. Spending never passes the budget: what a request may cost is reserved
//     before it is sent, in doubt counts as spent, and a crash loop goes on with
//     the budget of the run that died. Only a price above the estimate can pass
//     it, by the requests in flight when the first receipt told it and by those
//     that were never answered before, or one that is not known
//     (-allow-unpriced), by one image. (row budget; TestUnpriced, script
//     apply_budget_dearer)
//  5. Nothing is written, read, fetched or executed outside what the
//     configuration and the root allow, and no secret leaves. (rows an untrusted
//     repository, naughty strings; TestInnerURLs and TestProxy of provider/xai,
//     TestKeyShowsNowhere, TestSensitiveShowsNowhere)
//  6. Two applies never run at once in one root, and a dead one leaves no lock:
//     the kernel holds it. (row 50 at once in one root; TestKilled of journal)
//
// # One image
//
// A paid step goes through these points; each is durable before the next, and
// a crash between any two is mended by Recover at the start of the next run:
//
//	intent, sent   journaled just before the first byte leaves
//	job            the id, where the provider takes the request as a job: from
//	               here on it is asked for and never sent again
//	receipt        the URL, or the content of the bytes, which are in the store
//	               already, and the price
//	blob           the bytes are in the store, and what was measured of them
//	judgement      the main output, made in memory, does what the postconditions
//	               of its image ask; else what was bought is recorded and no
//	               file is written. A crash before that only repeats it
//	wrote          the paths and contents of the outputs, before they are there:
//	               a run that dies must not take its own files for a stranger's
//	outputs        temp, sync, rename, sync the folder; never over a file that
//	               is not ours
//	lock           rewritten atomically, and not over what somebody else wrote
//
// The store's request index, from which a request that was bought costs
// nothing any more, is noted with the blob and synced before the journal is
// compacted; until then the journal can repeat it.
//
// A call that was sent and not answered stays in the journal as in doubt. It
// is told with its price, counts as spent until its run has ended, follows its
// image to another name, and is repeated only when asked.
// What is free by its offer is never in doubt: its intent is journaled with its
// receipt, and what did not come is made again. A disk that refuses what came
// ends the buying, so that only requests in flight can be lost by it.
//
// A job goes on without us: the next run asks the server that took it, for a
// minute in all, and what is not ready then waits for the run after that.
// Zero loss is impossible for a plain call that is killed in flight; zero
// double payment is not, and is what this package promises.
//
// The picture of an import is in the store and recorded before a file is
// written. What the configuration asks of a picture is known through
// Engine.Judge only.
//
// # Who owns what
//
// One goroutine (Apply) owns the lock, the budget and the order. Steps run beside
// it and send back what became of them; they own nothing but their image. A
// failed step marks those that need it as skipped and never cancels a paid
// sibling in flight. Pixel work has a bound of its own, so that eight slow
// requests never wait behind eight resizes.
//
// Of the steps that may start, the one with the longest chain behind it goes
// first; among equals the order of the plan decides.
package apply
