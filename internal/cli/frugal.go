package cli

import (
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
)

// A project of at most smallProject bytes needs no more than smallMemory to be
// read, and is held to it: a hostile one leaves ten times as much behind, and
// the collector would let half of that lie about.
const (
	smallProject = 1 << 20
	smallMemory  = 160 << 20
)

// wholeMemory is what GOMEMLIMIT says.
var wholeMemory = sync.OnceValue(func() int64 { return debug.SetMemoryLimit(-1) })

// frugal is a source that lifts the limit once it has been asked for more than a
// small project has. Files are read beside each other.
type frugal struct {
	config.Source
	read atomic.Int64
}

// loadFrugally is config.Load with the limit for small projects.
func loadFrugally(src config.Source, opt config.Options) (*config.Project, diag.List) {
	if opt.Large {
		return config.Load(src, opt)
	}
	whole := wholeMemory()
	debug.SetMemoryLimit(min(whole, smallMemory))
	defer debug.SetMemoryLimit(whole)
	return config.Load(&frugal{Source: src}, opt)
}

func (f *frugal) Read(path string, limit int64) ([]byte, error) {
	b, err := f.Source.Read(path, limit)
	n := int64(len(b))
	if all := f.read.Add(n); all > smallProject && all-n <= smallProject {
		debug.SetMemoryLimit(wholeMemory())
	}
	return b, err
}
