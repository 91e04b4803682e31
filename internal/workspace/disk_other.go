//go:build !linux && !darwin

package workspace

// Free is not known here.
func (r *Root) Free() (int64, bool) { return 0, false }

// MayWrite can't be told without making a file.
func (r *Root) MayWrite(string) error { return nil }

// OpenFiles is not known here.
func OpenFiles() (uint64, bool) { return 0, false }
