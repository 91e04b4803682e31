package limit

import (
	"context"
	"testing"

	"github.com/imgbuild/imgbuild/internal/provider"
)

type listing struct{ *fake }

func (listing) Catalogue(context.Context) ([]provider.Listed, error) {
	return []provider.Listed{{Model: "m"}}, nil
}

// A maker with a catalogue keeps it, and one without gets none.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	if _, ok := wrap(&fake{}, Config{}).(provider.Cataloguer); ok {
		t.Error("there is a catalogue of a maker that has none")
	}
	c, ok := Wrap(listing{&fake{}}, Config{}).(provider.Cataloguer)
	if !ok {
		t.Fatal("the catalogue is lost")
	}
	if l, err := c.Catalogue(t.Context()); err != nil || len(l) != 1 {
		t.Errorf("%v %v", l, err)
	}
}
