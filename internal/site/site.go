package site

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// Output is a file of the project that a site may show.
type Output struct {
	Image   string // its address
	Path    string // slash path
	Content digest.Content
	Bytes   int64
	Alt     string // of the image
}

// How a picture was recognised, the surest first.
const (
	ByContent   = "content"
	ByAttribute = "attribute"
	ByXMP       = "xmp"
	ByName      = "name"
	ByAlt       = "alt"
)

// Labels that a picture may have.
const (
	InAttribute = "html attribute"
	InJSONLD    = "json-ld"
	InText      = "html text"
	InXMP       = "xmp"
	InC2PA      = "c2pa"
)

// Picture is a picture of the project, in one page or style sheet.
type Picture struct {
	Page       string   `json:"page"`
	Source     string   `json:"source"`           // as it stands there; of a data URL the beginning
	File       string   `json:"file,omitempty"`   // below the folder of the site; none if it is not there
	Absent     bool     `json:"absent,omitempty"` // the site should have that file, and has not
	Image      string   `json:"image,omitempty"`  // address; none if only its XMP tells that it is ours
	Or         []string `json:"or,omitempty"`     // further images with an output of these bytes, where nothing tells which it is
	By         string   `json:"recognised_by"`
	SourceType string   `json:"digital_source_type,omitempty"` // in its XMP
	Labels     []string `json:"labels"`                        // where one was found, none twice
}

// Link is a picture of the project that the head of a page names and does not
// show, an icon or a card, and that is not in the site.
type Link struct {
	Page   string `json:"page"`
	Source string `json:"source"` // as it stands there
	Image  string `json:"image"`  // address, as its name tells
}

// Skipped is what could not be looked at.
type Skipped struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// Report is what Look found, sorted by page and source.
type Report struct {
	Pages    int
	Pictures []Picture
	Links    []Link // none twice
	Skipped  []Skipped
}

// maxPage is the most bytes of a page or a style sheet.
const maxPage = 32 << 20

// Look reads the pages and style sheets of a site, but for those that leave says.
// It fails only if the site as a whole can't be read, or when ctx ends.
func Look(ctx context.Context, site fs.FS, outputs []Output, leave func(name string, folder bool) bool) (Report, error) {
	l := &looker{site: site, outputs: outputs, byAlt: map[string]string{}, files: map[string]*file{}, names: map[string]string{}, bySize: map[int64][]int{}}
	l.host = l.mapped()
	for i, o := range outputs {
		l.bySize[o.Bytes] = append(l.bySize[o.Bytes], i)
		if was, twice := l.byAlt[o.Alt]; twice && was != o.Image {
			l.byAlt[o.Alt] = "" // it tells nothing
		} else {
			l.byAlt[o.Alt] = o.Image
		}
	}
	err := fs.WalkDir(site, ".", func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if name == "." {
				return err
			}
			l.skip(name, err)
			return nil
		}
		if name != "." && leave(name, d.IsDir()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		kind := strings.ToLower(path.Ext(name))
		page := kind == ".html" || kind == ".htm" || kind == ".xhtml"
		if d.IsDir() || !page && kind != ".css" {
			return nil
		}
		b, err := l.read(name)
		if err != nil {
			l.skip(name, err)
			return nil
		}
		if !page {
			l.styles(name, b)
			return nil
		}
		l.report.Pages++
		p := &pageReader{looker: l, name: name}
		p.read(b)
		return nil
	})
	r := &l.report
	slices.SortStableFunc(r.Pictures, func(a, b Picture) int {
		return cmp.Or(cmp.Compare(a.Page, b.Page), cmp.Compare(a.Source, b.Source), len(a.Labels)-len(b.Labels))
	})
	// What a page shows twice is told once, as it is where it is worst.
	r.Pictures = slices.CompactFunc(r.Pictures, func(a, b Picture) bool { return a.Page == b.Page && a.Source == b.Source })
	slices.SortFunc(r.Links, func(a, b Link) int { return cmp.Or(cmp.Compare(a.Page, b.Page), cmp.Compare(a.Source, b.Source)) })
	r.Links = slices.Compact(r.Links)
	slices.SortFunc(r.Skipped, func(a, b Skipped) int { return cmp.Compare(a.File, b.File) })
	return *r, err
}

type looker struct {
	site    fs.FS
	host    string // on which it is, as its sitemap says
	outputs []Output
	bySize  map[int64][]int
	byAlt   map[string]string // address by alt text; "" for one that several have
	files   map[string]*file  // of the site, by name
	names   map[string]string // address by the name of a file; "" for one of nobody
	report  Report
}

// file is what is known of a file of the site.
type file struct {
	exists bool
	same   []int // outputs with its bytes
	marks  imaging.Marks
}

func (l *looker) skip(name string, err error) {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	l.report.Skipped = append(l.report.Skipped, Skipped{name, err.Error()})
}

var errNotRegular = errors.New("it is no regular file")

// open opens a regular file; another could block for ever.
func (l *looker) open(name string) (fs.File, int64, error) {
	info, err := fs.Stat(l.site, name)
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		return nil, 0, err
	}
	f, err := l.site.Open(name)
	return f, info.Size(), err
}

func (l *looker) read(name string) ([]byte, error) {
	f, size, err := l.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxPage {
		return nil, fmt.Errorf("it has %d bytes, more than the limit of %d", size, maxPage)
	}
	return io.ReadAll(io.LimitReader(f, maxPage))
}

var loc = lazily(`<loc>\s*(https?://[^<\s]+)`)

// mapped is the host that the sitemap names, "" if there is none.
func (l *looker) mapped() string {
	for _, name := range []string{"sitemap.xml", "sitemap-index.xml", "sitemap_index.xml"} {
		if b, err := l.read(name); err == nil {
			if m := loc().FindSubmatch(b); m != nil {
				return hostOf(string(m[1]))
			}
		}
	}
	return ""
}

// ours reports whether a host, "" in a URL without one, is the site's, which pages
// say it is on hosts.
func (l *looker) ours(host string, hosts []string) bool {
	return host == "" || host == l.host || slices.Contains(hosts, host)
}

// local reports whether a URL is of a picture that the site should have as a file.
func (l *looker) local(url string, hosts []string) bool {
	clean, ok := pathOf(url)
	return ok && picture[strings.ToLower(path.Ext(clean))] && l.ours(hostOf(url), hosts)
}

// find is the file that a URL of a page means, "" if it is not in the site. The
// site may be served below a folder that the URL begins with and the site does not
// have.
func (l *looker) find(page, url string) (string, *file) {
	clean, ok := pathOf(url)
	if !ok {
		return "", nil
	}
	name := path.Join(path.Dir(page), clean)
	if strings.HasPrefix(clean, "/") {
		name = strings.TrimPrefix(path.Clean(clean), "/")
	}
	for range 4 {
		if !fs.ValidPath(name) || name == "." {
			return "", nil
		}
		if f := l.file(name); f.exists {
			return name, f
		}
		_, rest, more := strings.Cut(name, "/")
		if !more || !strings.HasPrefix(clean, "/") {
			return "", nil
		}
		name = rest
	}
	return "", nil
}

// file looks at a file once.
func (l *looker) file(name string) *file {
	if f, ok := l.files[name]; ok {
		return f
	}
	out := &file{}
	l.files[name] = out
	f, size, err := l.open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return out
	}
	if err != nil {
		if info, bad := fs.Stat(l.site, name); bad != nil || !info.IsDir() {
			l.skip(name, err)
			out.exists = true
		}
		return out
	}
	defer f.Close()
	out.exists = true
	r, ok := f.(io.ReaderAt)
	if !ok {
		b, err := io.ReadAll(io.LimitReader(f, maxPage))
		if err != nil {
			l.skip(name, err)
		}
		r, size = bytes.NewReader(b), int64(len(b))
	}
	out.marks = imaging.ReadMarks(r, size)
	if candidates := l.bySize[size]; candidates != nil {
		sum := sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(r, 0, size)); err != nil {
			l.skip(name, err)
		}
		content := digest.Content(sum.Sum(nil))
		for _, i := range candidates {
			if l.outputs[i].Content == content {
				out.same = append(out.same, i)
			}
		}
	}
	return out
}

// with are the outputs that have the bytes of a file.
func (l *looker) with(f *file) []int {
	if f == nil {
		return nil
	}
	return f.same
}

// settle is the image of a file with the bytes of outputs: the one that the page
// says, else the one whose output has most of its path. Where nothing tells, it is
// the first, or another.
func (l *looker) settle(outputs []int, name, said string) (image string, or []string) {
	most := -1
	for _, i := range outputs {
		o := &l.outputs[i]
		n := alike(o.Path, name)
		switch {
		case o.Image == said:
			n = len(name) + 1
		case n == 0 && l.named(name) == o.Image:
			n = 1
		}
		switch {
		case n > most:
			image, or, most = o.Image, nil, n
		case n == most && o.Image != image && !slices.Contains(or, o.Image):
			or = append(or, o.Image)
		}
	}
	return image, or
}

// alike is how many names at the end of two paths are the same.
func alike(a, b string) (n int) {
	for {
		if path.Base(a) != path.Base(b) {
			return n
		}
		n++
		a, b = path.Dir(a), path.Dir(b)
		if a == "." || b == "." {
			return n
		}
	}
}

// shown is a place where a picture is shown.
type shown struct {
	page, url string
	alt       string
	address   string // that data-imgbuild says
	denied    bool   // data-ai-generated="false"
	labels    []string
	hosts     []string // of the site, as the page says
}

// add recognises a picture and notes it; the number is its place in the report,
// or -1 if it is not the project's.
func (l *looker) add(s shown) int {
	name, f := l.find(s.page, s.url)
	p := Picture{Page: s.page, Source: brief(s.url), File: name, Absent: name == "" && l.local(s.url, s.hosts), Labels: slices.Clone(s.labels)}
	if p.Labels == nil {
		p.Labels = []string{}
	}
	switch {
	case len(l.with(f)) > 0:
		p.By = ByContent
		p.Image, p.Or = l.settle(f.same, name, s.address)
	case s.address != "" && l.has(s.address):
		p.By, p.Image = ByAttribute, s.address
	case f != nil && f.marks.Tool == imaging.Tool:
		p.By, p.Image = ByXMP, l.named(s.url)
	case s.denied:
		return -1
	case l.named(s.url) != "":
		p.By, p.Image = ByName, l.named(s.url)
	case len(s.alt) >= minAlt && l.byAlt[s.alt] != "":
		p.By, p.Image = ByAlt, l.byAlt[s.alt]
	default:
		return -1
	}
	if f != nil {
		p.SourceType = f.marks.Label.SourceType
	}
	if spec.Generated(p.SourceType) {
		p.Labels = append(p.Labels, InXMP)
	}
	if f != nil && f.marks.C2PA {
		p.Labels = append(p.Labels, InC2PA)
	}
	l.report.Pictures = append(l.report.Pictures, p)
	return len(l.report.Pictures) - 1
}

// minAlt is how many bytes an alt text must have to tell a picture from others.
const minAlt = 10

func (l *looker) has(address string) bool {
	return slices.ContainsFunc(l.outputs, func(o Output) bool { return o.Image == address })
}

// named is the image whose output the name of a file comes from, or "".
func (l *looker) named(url string) string {
	clean, ok := pathOf(url)
	if !ok {
		return ""
	}
	base := path.Base(clean)
	if known, ok := l.names[base]; ok {
		return known
	}
	best, length := "", 0
	for _, o := range l.outputs {
		stem := strings.TrimSuffix(path.Base(o.Path), path.Ext(o.Path))
		// The longest name wins: hero-card is not hero.
		if rest, ok := strings.CutPrefix(base, stem); ok && len(stem) > length && derived(rest) {
			best, length = o.Image, len(stem)
		}
	}
	l.names[base] = best
	return best
}

// label adds a label to a picture that was noted.
func (l *looker) label(i int, where string) {
	if p := &l.report.Pictures[i]; !slices.Contains(p.Labels, where) {
		p.Labels = append(p.Labels, where)
	}
}
