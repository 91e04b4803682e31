// Package workspace is the repository on disk: a root that nothing leaves,
// safe paths, hashing behind a stat cache, atomic writes, and the lock that
// makes an apply the only writer. It does not know what the files mean.
//
// # Paths
//
// Every path is a slash path from the root. spec.CheckPath is the first wall
// and os.Root the second: a link that leads out of the root is refused by the
// kernel calls themselves, also when it is swapped in between a check and its
// use. Links inside the root are followed when reading; a path that is itself a
// link is never written, removed or taken for an output.
//
// # Writes
//
// A write never overwrites what somebody else made: it names the content that
// it may replace, and anything else is a *Conflict. It leaves the whole old or
// the whole new file, whatever fails: a temporary file in the same folder, its
// bytes synced, renamed, the folder synced. Between the last look at the old
// file and the rename lie some microseconds in which an editor could still
// lose; no portable call closes that window.
//
// # The stat index
//
// .imgbuild/index maps a path to size, times, inode and SHA-256. It is advisory:
// missing or corrupt means slower, never different. Git's rule against racily
// clean files holds: an entry whose times are not older than the saved index is
// hashed again, for the file may have changed in the tick of its last look.
//
// # Who calls it
//
// cli opens the root and hands folders (FS) to store and journal; config's files
// are read, outputs looked at, and apply's results written through it. Real I/O
// goes through os.Root behind afero.Fs, so that tests can fail the n-th
// operation (see package faultfs).
//
// It refuses: paths out of the root, in .git or in .imgbuild; devices, pipes and
// folders where a file is meant; replacing bytes that it was not told of.
package workspace
