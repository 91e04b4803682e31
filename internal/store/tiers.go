package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Tiers is a local store and, if the project names one, a second that may be
// committed or shared.
type Tiers struct {
	Local  *Dir
	Second *Dir   // nil if there is none
	Keep   string // what Promote takes: "picked" (also if empty) or "all"
}

// Put keeps bytes in the local tier; see Dir.Put.
func (t *Tiers) Put(ctx context.Context, r io.Reader, limit int64) (digest.Content, int64, error) {
	return t.Local.Put(ctx, r, limit)
}

// Has reports whether a tier has a file for c.
func (t *Tiers) Has(c digest.Content) bool {
	return t.Local.Has(c) || t.Second != nil && t.Second.Has(c)
}

// Get is the bytes of c from the first tier that has them intact. What came
// from the second is copied to the local one, where it also heals damage.
func (t *Tiers) Get(c digest.Content, limit int64) ([]byte, error) {
	b, err := t.Local.Get(c, limit)
	if err == nil || t.Second == nil {
		return b, err
	}
	b, err2 := t.Second.Get(c, limit)
	if err2 != nil {
		return nil, fmt.Errorf("%w; second tier: %w", err, err2)
	}
	// The bytes are right whether or not there is room for a copy.
	t.Local.Put(context.Background(), bytes.NewReader(b), math.MaxInt64)
	return b, nil
}

// Record notes a roll in the local tier; see Dir.Record.
func (t *Tiers) Record(req digest.Request, fields []provider.Field, r Roll) error {
	return t.Local.Record(req, fields, r)
}

// Sync makes durable what Record and Promote noted; see Dir.Record.
func (t *Tiers) Sync() error {
	err := t.Local.Sync()
	if t.Second != nil {
		err = errors.Join(err, t.Second.Sync())
	}
	return err
}

// Bought lists the rolls of both tiers, those of the local one first. Rolls may
// come with an error, which then is about the other tier.
func (t *Tiers) Bought(req digest.Request) ([]Roll, error) {
	rolls, err := t.Local.Bought(req)
	if t.Second == nil {
		return rolls, err
	}
	more, err2 := t.Second.Bought(req)
	for _, r := range more {
		if !slices.ContainsFunc(rolls, func(have Roll) bool { return have.ID == r.ID }) {
			rolls = append(rolls, r)
		}
	}
	if err == nil {
		err = err2
	} else if err2 != nil {
		err = fmt.Errorf("%w; second tier: %w", err, err2)
	}
	return rolls, err
}

// Promote copies an image that was bought for a request, and its record, to
// the second tier, if there is one and it keeps such images. It may be repeated.
func (t *Tiers) Promote(ctx context.Context, req digest.Request, c digest.Content, picked bool) error {
	if t.Second == nil || !picked && t.Keep != "all" {
		return nil
	}
	if err := t.promote(ctx, req, c); err != nil {
		return fmt.Errorf("store: promote %s: %w", c.Short(), err)
	}
	return nil
}

func (t *Tiers) promote(ctx context.Context, req digest.Request, c digest.Content) error {
	if !t.Second.Has(c) {
		f, err := t.Local.Open(c)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, _, err := t.Second.Put(ctx, f, math.MaxInt64); err != nil {
			return err
		}
	}
	rec, err := t.Local.load(req)
	if err != nil {
		return err
	}
	for _, r := range rec.Rolls {
		if r.Content == c {
			if err := t.Second.Record(req, rec.fields(), r.roll()); err != nil {
				return err
			}
		}
	}
	return nil
}
