// Package store keeps bytes by what they are: sha256/ab/<64 digits>, written
// once, and beside them requests/ab/<64 digits>.json, which tells what was bought
// for a request. It does not know what the bytes depict.
//
// # Promises
//
// What Put accepted is durable: synced, renamed into place, the folder synced. The
// first note of Record about a request is so only after Sync; until then the
// caller must be able to repeat it. Put reads back what it wrote, for a disk that lies must be found out
// while the money's worth is still in memory. A damaged file is a miss
// (ErrMissing) that says so (*Corrupt), never a crash and never wrong bytes:
// what is read is compared with its name before the reader sees the end. Putting
// the right bytes again heals the damage.
//
// A record is canonical JSON that ends with a checksum; those of version 1 have
// none, and their fields are compared with their name. One that can't be read is set aside with the
// ending ".bad" and begun anew, so that an image just paid for is still recorded,
// and Bought goes on to say that something is missing until a repair has
// rewritten it. Glean puts a single bit right, which the checksum proves. A record
// of a later version is left alone and is an error; one that is longer than any
// that Record writes is damaged, and is not read.
//
// # Tiers
//
// Local lies in .imgbuild and is this machine's alone: callers hold the workspace
// lock when they write. Second may be committed or shared; it takes what is
// promoted. Two machines that promote images of one request at the same moment may
// lose one record of the second tier, never bytes.
//
// # Who calls it
//
// cli opens it and asks what was bought; apply puts and gets; gc lists and
// removes; doctor reads everything (Check) and moves what is damaged into the folder
// "damaged" (SetAside, KeepCopy), from where nothing is ever deleted. It refuses bytes beyond the caller's limit.
package store
