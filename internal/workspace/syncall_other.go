//go:build !linux

package workspace

import (
	"errors"
	"os"
)

func syncAll(*os.File) error { return errors.ErrUnsupported }
