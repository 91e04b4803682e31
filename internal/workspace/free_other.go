//go:build !linux && !darwin

package workspace

// Free is not known here.
func (r *Root) Free() (int64, bool) { return 0, false }
