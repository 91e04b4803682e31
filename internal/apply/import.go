package apply

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/store"
	"github.com/imgbuild/imgbuild/internal/workspace"
)

// Importable looks at a picture that is to be imported, and returns its bytes
// too. What is wrong with it is a fault and no error.
func Importable(sources *workspace.Root, path string, lim imaging.Limits) (plan.Imported, []byte) {
	out := plan.Imported{Path: path, Fault: &spec.Problem{Field: "import", Value: path}}
	f := out.Fault
	b, err := sources.Read(path, lim.Bytes)
	var large *workspace.TooLarge
	var other *workspace.NotRegular
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Text, f.Hint = fmt.Sprintf("there is no file %q to import", path), "check the path; it starts from the folder of the configuration"
		return out, nil
	case errors.As(err, &large):
		f.Text, f.Hint = fmt.Sprintf("%q has %d bytes, more than the limit of %d", path, large.Size, large.Limit), "make it smaller"
		return out, nil
	case errors.As(err, &other):
		f.Text, f.Hint = fmt.Sprintf("%q%s", path, strings.TrimPrefix(other.Error(), path)), "write the path of a picture"
		return out, nil
	case err != nil && workspace.LeadsOut(err):
		f.Text, f.Hint = fmt.Sprintf("a link on the way to %q leads out of the project", path), "copy the picture into the project"
		return out, nil
	case err != nil:
		f.Text, f.Hint = fmt.Sprintf("%q can't be read: %v", path, cmp.Or(errors.Unwrap(err), err)), "see that the file can be read"
		return out, nil
	}
	info, err := imaging.Measure(b, lim)
	if err != nil {
		f.Text, f.Hint = fmt.Sprintf("%q can't be imported: %s", path, plainly(err)), orLarger(err, "PNG, JPEG, WebP and GIF can be imported")
		return out, nil
	}
	out.Fault = nil
	out.Image = provider.Image{Content: digest.OfContent(b), MIME: info.MIME, Width: info.Width, Height: info.Height, Bytes: int64(len(b)), Model: plan.ImportedModel}
	Mark(&out.Image, b)
	return out, b
}

// orLarger is a hint about a picture that is not read: for one over the limits
// how to raise them.
func orLarger(err error, hint string) string {
	if errors.Is(err, imaging.ErrOver) {
		return fmt.Sprintf("make it smaller, or, if you trust it, set IMGBUILD_MAX_MEGAPIXELS to more than %d", imaging.Least)
	}
	return hint
}

// adopt brings the picture of an import into the store, and its record beside
// those that were bought for the request.
func (e *Engine) adopt(ctx context.Context, j *job) ([]byte, EventKind, error) {
	im := j.step.Candidates[0]
	b, err := e.file(j.step.Import, im.Content)
	if err != nil {
		return nil, Stale, err
	}
	leave := e.pixels.enter(e.limits(), b)
	_, err = imaging.Check(b, e.limits())
	leave()
	if err != nil {
		return nil, Failed, fmt.Errorf("%s can't be imported: %s", j.step.Import, plainly(err))
	}
	if _, _, err := e.Store.Put(ctx, bytes.NewReader(b), e.limits().Bytes); err != nil {
		return nil, Failed, err
	}
	if err := e.Store.Record(j.digest, j.request.Fields(), store.Roll{ID: "import-" + im.Content.String(), Image: im}); err != nil {
		return nil, Failed, err
	}
	if slices.ContainsFunc(j.outputs, func(o plan.Output) bool { return o.Path == j.step.Import && o.Action == plan.Write && !o.Adopt }) {
		// Its rendition takes its place: after a power cut only the record tells
		// what the picture was.
		if err := e.Store.Sync(); err != nil {
			return nil, Failed, err
		}
	}
	return b, Done, nil
}
