// Package journal is the append-only record of paid requests: what was intended,
// sent, accepted, delivered and stored, each durable before the next step. Between
// a reply and the lockfile it is the only truth about money. It does not know what
// a request means.
//
// # Files
//
// Segments NNNNNN.log are written full of zeros and synced before they are used,
// so that a record needs no new room: a receipt fits on a full disk. Room makes
// sure of it before a request is sent. A record is
//
//	length u32 | CRC-32C u32 | JSON, filled with zeros to 8 bytes
//
// little-endian. The JSON begins with its sequence number, the number of the
// first record of its commit, and the first 8 bytes of the SHA-256 of the record
// before it. Inline replies go straight into the store, and their receipt names them by
// content.
//
// # Damage
//
// A commit is one write and one sync, shared by all who wait (group commit), and a
// power cut may keep any of its sectors. As the room was zeros before, a torn
// record shows a whole sector of zeros, or its file ends early; and all that
// follows it is of the same commit, of which nobody was told. Such a tail is cut
// and noted. Everything else that does not fit, a flipped bit in the last record
// too, is *Damage: the journal is not written any more until somebody ran
// Salvage (imgbuild doctor -repair). As each record has a checksum of its own,
// those behind the damage can be read, too: Salvage begins a new segment with all
// of them, holds in doubt what may have been sent, and keeps the damaged segments
// as NNNNNN.log.damaged-DIGITS. An attempt may then be without its intent: it has
// no request, stays in doubt, and is told by Examine; one of these stands for
// requests that may be lost with all their records. While there is one, plan holds
// every purchase. A marker beside the folder (Mark) tells a journal that is gone
// from one that never was; one whose newest segments alone are gone without a
// trace can't be told from a shorter one.
//
// A failed write or sync is final: the kernel may have dropped the pages, and a
// second sync would lie. Every later Append has the same error.
//
// # Compaction
//
// When the lockfile that covers them is durable, settled attempts are dropped: a
// new segment begins with a marker and the records of the others, and the older
// ones are removed. With them go the URLs, which are written nowhere else. A key
// of a provider is never written.
//
// # Who calls it
//
// cli, which holds the workspace lock, opens it for apply, which appends; plan gets
// what Read returns, without a lock and without a write; doctor gets what Examine
// returns.
package journal
