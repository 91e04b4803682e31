//go:build !linux && !darwin

package workspace

// Room is not known here.
func (r *Root) Room() (int64, bool) { return 0, false }

// Writable can't be told without making a file.
func (r *Root) Writable(string) bool { return true }

// OpenFiles is not known here.
func OpenFiles() (uint64, bool) { return 0, false }
