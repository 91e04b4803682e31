package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/journal"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// safety is what it costs to lose nothing.
func safety(l *lab) []row {
	const k, size = 300, "1024x1024" // what a provider makes unless asked
	doctor, peer := verify(l, k, size), verify(l, k, size)
	doctor.name, doctor.argv, doctor.says = "doctor", []string{l.bin, "doctor"}, fmt.Sprintf("%d images in the lock", k)
	peer.name, peer.argv, peer.says = "hash-all", []string{l.self, "-hash-all", peer.dir}, fmt.Sprintf("hashed %d\n", 2*k)
	recovery := &probe{name: "recovery", dir: l.dir, argv: []string{l.self, "-recover", "10000"}, cost: counted}
	return []row{
		versus("doctor, store against SHA-256", doctor, peer, "SHA-256 of store and outputs", 1.25, 1.15),
		{name: "recovery of a journal of 10,000 records", probes: []*probe{recovery}, must: 100, aim: 50, unit: milliseconds, read: func(l *lab) (figures, error) {
			took := median(l.samples[recovery.name].cost)
			return figures{cpu(took), "-", took.Seconds() * 1e3}, nil
		}},
	}
}

// hashAll is hash for the outputs and the store of a project.
func hashAll(w io.Writer, dir string) error {
	n, err := hashBelow(filepath.Join(dir, pictures))
	if err != nil {
		return err
	}
	more, err := hashBelow(filepath.Join(dir, workspace.Own, "store", "sha256"))
	fmt.Fprintln(w, "hashed", n+more)
	return err
}

// runRecover lets a run die that had journaled a number of records, five for
// each image, and tells what the next run needs before it can plan: the
// journal is replayed, and the store's index is compared with it.
func runRecover(w io.Writer, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	return inFolder(func(dir string) error {
		root, err := workspace.Open(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		tiers := &store.Tiers{Local: store.Open(root.FS(workspace.Own + "/store"))}
		if err := journaled(root, tiers, n); err != nil {
			return err
		}
		before := selfCPU()
		j, state, err := journal.Open(root.FS(workspace.Own + "/journal"))
		if err != nil {
			return err
		}
		e := apply.Engine{Out: root, Sources: root, Store: tiers, Journal: j, Lock: &lock.Lock{}, Parallelism: parallel, Now: time.Now,
			Maker: func(string) (provider.Maker, error) { return nil, errors.New("nobody is asked") }}
		rec, err := e.Recover(context.Background(), state)
		spent := selfCPU() - before
		if err := errors.Join(err, j.Close()); err != nil {
			return err
		}
		if rec != (apply.Recovery{}) || len(state.Attempts) != n/5 {
			return fmt.Errorf("recovered %+v of %d attempts", rec, len(state.Attempts))
		}
		if spent <= 0 {
			return errNoCPU
		}
		fmt.Fprintf(w, "%d ns for all\n", int64(spent))
		return nil
	})
}

// journaled leaves a journal of n records, and the index that goes with it.
func journaled(root *workspace.Root, tiers *store.Tiers, n int) error {
	j, _, err := journal.Open(root.FS(workspace.Own + "/journal"))
	if err != nil {
		return err
	}
	var records []journal.Record
	for i := range n / 5 {
		id := fmt.Sprintf("20260102T030405-01234567-%d.0", i)
		fields := []provider.Field{{Name: "provider", Value: "bare"}, {Name: "model", Value: "bare-1"}, {Name: "prompt", Value: image(i, "16x16").Prompt}}
		request := digest.OfRequest(provider.Canonical(fields))
		d := journal.Delivery{MIME: "image/png", Price: 2e8, Content: digest.OfContent(tiny(uint32(i))), Width: 16, Height: 16, Bytes: 100}
		records = append(records,
			journal.Record{Type: journal.TypeIntent, Attempt: id, Intent: &journal.Intent{Address: "image." + name(i), Request: request, Fields: fields,
				Provider: "bare", N: 1, Estimate: 2e8, Run: "dead", Started: time.Now()}},
			journal.Record{Type: journal.TypeSent, Attempt: id},
			journal.Record{Type: journal.TypeReceipt, Attempt: id, Delivery: &journal.Delivery{URL: "https://img.example/" + id, MIME: "image/png", Price: 2e8}},
			journal.Record{Type: journal.TypeBlob, Attempt: id, Delivery: &d},
			journal.Record{Type: journal.TypeDone, Attempt: id})
		roll := store.Roll{ID: id + "/0", Image: provider.Image{Content: d.Content, Width: 16, Height: 16, Bytes: 100, MIME: "image/png", Price: 2e8}}
		if err := tiers.Record(request, fields, roll); err != nil {
			return err
		}
	}
	err = j.Append(records...)
	return errors.Join(err, tiers.Sync(), j.Close())
}
