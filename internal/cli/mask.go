package cli

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/imgbuild/imgbuild/internal/apply"
	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// runShowMask writes the mask of an image into the cache, which nobody commits.
func runShowMask(ctx context.Context, env *Env, f *projectFlags, a spec.Address) error {
	if a == "" {
		return fail("imgbuild show -mask ADDRESS", "-mask needs the address of an image")
	}
	s, err := openSession(env)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.prepare(ctx, f); err != nil {
		return err
	}
	im := s.project.Image(a)
	if im == nil {
		return s.noSuchImage(string(a))
	}
	m := im.Wanted.Mask
	if m == nil {
		return fail("a mask stands in edit { mask { … } }", "%s has no mask", diag.Clean(string(a)))
	}
	src := im.Wanted.Sources[0]
	content, err := s.contentOf(src)
	if err != nil {
		return err
	}
	b, problems, err := apply.ShowMask(&apply.Engine{Out: s.out, Sources: s.root, Store: s.store, Lock: s.lock, Limits: s.limits}, m, s.files[m.File], src, content)
	if err != nil {
		return err
	}
	var l diag.List
	for _, p := range problems {
		found := s.finding("IB0503", plan.Problem{Address: a, Problem: p})
		if b != nil {
			found.Severity = diag.Warning // there is something to look at
		}
		l = append(l, found)
	}
	if err := s.tell(l); err != nil {
		return err
	}
	name := "mask/" + strings.TrimSuffix(im.Path, path.Ext(im.Path)) + ".png"
	if err := s.root.WriteCache(name, b); err != nil {
		return err
	}
	fmt.Fprintln(env.Stdout, diag.Clean(own+"/cache/"+name))
	return nil
}

// contentOf is the content of a source as it is now.
func (s *session) contentOf(src spec.Source) (digest.Content, error) {
	switch {
	case src.File != "":
		return s.files[src.File], nil
	case src.Data != "":
		b, err := spec.ParseDataURL(src.Data)
		return digest.OfContent(b), err
	}
	of, entry := s.project.Image(src.Image), s.lock.Get(src.Image)
	if of != nil && entry != nil {
		if p := entry.Picked(plan.Pick(of, entry)); p != nil {
			return p.Content, nil
		}
	}
	return digest.Content{}, fail("imgbuild apply -target="+string(src.Image)+" makes it", "%s is not made yet, and its pixels are those of the mask", diag.Clean(string(src.Image)))
}
