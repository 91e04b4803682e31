package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/imaging"
)

// widths of the sets that a page has of a picture.
var widths = []int{320, 640, 1280, 1792}

const sharpFolder = "testdata/bench"

// pixels is the rows of the picture work, on two photographs: small, 1792x1024,
// and large, 4096x4096 with the noise of a model. The peer is sharp (libvips),
// in one thread, with the same settings; both sides count the CPU time of what
// is repeated within a process, so that neither pays for its start.
func pixels(l *lab) []row {
	script, err := filepath.Abs(filepath.Join(sharpFolder, "sharp.js"))
	if err != nil {
		panic(err) // there is no working folder
	}
	dir := l.path("photographs")
	prepare := func() error { return l.photographs(dir, script) }
	ours := func(job string) *probe {
		return &probe{name: "pixels-" + job, dir: dir, argv: []string{l.self, "-pixels", job}, cost: counted, make: prepare}
	}
	peer := func(job string) *probe {
		return &probe{name: "sharp-" + job, dir: dir, argv: []string{"node", script, job, strconv.Itoa(jobs[job].times)}, cost: counted, make: prepare}
	}
	against := func(name, job string, must, aim float64) row {
		return versus(name, ours(job), peer(job), "sharp", must, aim)
	}
	webp := against("1792x1024 PNG to 4 JPEG and 4 WebP (cwebp)", "small-set-webp", 1, 0.9)
	if _, err := find("cwebp"); err != nil {
		webp.skip = err
	}
	return []row{
		against("dimensions of a 20 MB PNG", "dimensions", 1.0/10, 1.0/100),
		against("decode, PNG", "decode-png", 2, 1),
		against("decode, JPEG", "decode-jpeg", 2, 1),
		against("decode, progressive JPEG", "decode-progressive", 2, 1),
		against("encode, PNG", "png", 1, 0.8),
		said("encode, PNG, bytes", ours("png"), peer("png"), 1, 0.7),
		against("encode, JPEG", "jpeg", 1.5, 1),
		said("encode, JPEG, bytes", ours("jpeg"), peer("jpeg"), 1.02, 1),
		against("resize, 1792 to 640", "resize-small", 3, 2),
		against("resize, 4096 to 1280", "resize-large", 3, 2),
		against("1792x1024 PNG to 4 JPEG", "small-set", 1.1, 0.8),
		webp,
		against("4096x4096 JPEG to 4 JPEG", "large-set", 1.5, 1),
		leaner("peak memory, 1792x1024 PNG to 4 JPEG", ours("small-set"), peer("small-set"), 1.2, 0.6),
		leaner("peak memory, 4096x4096 JPEG to 4 JPEG", ours("large-set"), peer("large-set"), 1.2, 0.6),
		faithful(dir, "SSIM of a JPEG, below sharp's by", "small.png", ours("jpeg"), "jpeg-ours.jpg", peer("jpeg"), "jpeg-sharp.jpg"),
		faithful(dir, "SSIM of 4096 JPEG to 1280, below sharp's by", "scaled.png", ours("scaled"), "scaled-ours.png", peer("scaled"), "scaled-sharp.png"),
		hugo(l, dir, prepare),
	}
}

// said is a row for the bytes that ours and the peer say to have written.
func said(name string, ours, peer *probe, must, aim float64) row {
	return row{name: name, probes: []*probe{ours, peer}, must: must, aim: aim, unit: times, read: func(l *lab) (figures, error) {
		var each, a, b int64
		_, err1 := fmt.Sscanf(l.samples[ours.name].said, "%d ns each, %d bytes", &each, &a)
		_, err2 := fmt.Sscanf(l.samples[peer.name].said, "%d ns each, %d bytes", &each, &b)
		return figures{fmt.Sprintf("%d kB", a/1000), fmt.Sprintf("%d kB sharp", b/1000), float64(a) / float64(b)}, errors.Join(err1, err2)
	}}
}

// leaner is a row for the peak memory of ours against that of the peer.
func leaner(name string, ours, peer *probe, must, aim float64) row {
	return row{name: name, probes: []*probe{ours, peer}, must: must, aim: aim, unit: times, read: func(l *lab) (figures, error) {
		a, b := l.samples[ours.name].rss, l.samples[peer.name].rss
		if median(a) == 0 {
			return figures{}, notRun("this system does not tell the peak memory of a child")
		}
		return figures{megabytes(float64(median(a)) / 1e6), megabytes(float64(median(b))/1e6) + " sharp", ratio(a, b)}, nil
	}}
}

// faithful is a row for how much less ours is like the reference than the
// peer's is, by SSIM.
func faithful(dir, name, reference string, ours *probe, file string, peer *probe, peerFile string) row {
	difference := func(v float64) string { return fmt.Sprintf("%.4f", v) }
	return row{name: name, probes: []*probe{ours, peer}, must: 0.002, aim: 0.001, unit: difference, read: func(l *lab) (figures, error) {
		of := func(name string) (v float64, err error) {
			r, err := l.command(dir, l.self, "-ssim", reference+" "+name)
			if err == nil {
				_, err = fmt.Sscanf(r.stdout, "%g", &v)
			}
			return v, err
		}
		a, err1 := of(file)
		b, err2 := of(peerFile)
		return figures{difference(a), difference(b) + " sharp", b - a}, errors.Join(err1, err2)
	}}
}

// hugo is a row for both photographs in four widths, as JPEG: of ours and of a
// site, the whole process each.
func hugo(l *lab, dir string, prepare func() error) row {
	ours := &probe{name: "pixels-site", dir: dir, argv: []string{l.self, "-site", "ours"}, says: "made 8", make: prepare}
	site := l.path("hugo")
	peer := &probe{name: "hugo", dir: site, argv: []string{"hugo", "--destination", "public", "--cacheDir", filepath.Join(site, "cache")}, says: "Total in"}
	peer.make = func() error {
		if _, err := find("hugo"); err != nil {
			return err
		}
		if err := prepare(); err != nil {
			return err
		}
		return l.once("hugo", func(string) error { return writeHugo(site, dir) })
	}
	peer.before = func() error {
		var errs []error
		for _, name := range []string{"public", "resources", "cache"} {
			errs = append(errs, os.RemoveAll(filepath.Join(site, name)))
		}
		return errors.Join(errs...)
	}
	return versus("both photographs to 4 JPEG each, against Hugo", ours, peer, "Hugo", 1/2.5, 1.0/4)
}

// writeHugo is a site with one page that wants both photographs.
func writeHugo(site, photographs string) error {
	files := map[string]string{
		"config.toml": "baseURL = 'http://localhost/'\ndisableKinds = ['taxonomy', 'term', 'RSS', 'sitemap']\n[imaging]\nquality = 80\nresampleFilter = 'Lanczos'\n",
		"layouts/index.html": `{{ range $name := slice "small.png" "large.jpg" }}{{ with resources.Get $name }}{{ $p := . }}` +
			`{{ range $w := slice 320 640 1280 1792 }}{{ with $p.Resize (printf "%dx jpg" $w) }}<img src="{{ .RelPermalink }}">{{ end }}{{ end }}{{ end }}{{ end }}`,
	}
	for _, name := range []string{"small.png", "large.jpg"} {
		b, err := os.ReadFile(filepath.Join(photographs, name))
		if err != nil {
			return err
		}
		files["assets/"+name] = string(b)
	}
	for name, text := range files {
		path := filepath.Join(site, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// photographs makes what the rows of the picture work read.
func (l *lab) photographs(dir, script string) error {
	for program, missing := range map[string]string{
		filepath.Join(sharpFolder, "node_modules", "sharp"):   "sharp is not there (scripts/peers installs it)",
		filepath.Join(sharpFolder, "photos", "water.jpg"):     "the photographs are not there (scripts/peers fetches them)",
		filepath.Join(sharpFolder, "photos", "elephants.jpg"): "the photographs are not there (scripts/peers fetches them)",
	} {
		if _, err := os.Stat(program); err != nil {
			return notRun(missing)
		}
	}
	if _, err := find("node"); err != nil {
		return err
	}
	photos, err := filepath.Abs(filepath.Join(sharpFolder, "photos"))
	if err != nil {
		return err
	}
	return l.once("photographs", func(string) error {
		if _, err := l.command(dir, l.self, "-photographs", photos); err != nil {
			return err
		}
		_, err := l.command(dir, "node", script, "progressive")
		return err
	})
}

// takePhotographs makes the pictures of the rows from two that a folder has.
func takePhotographs(w io.Writer, photos string) error {
	cut := func(name string, width, height int) (*imaging.Picture, error) {
		b, err := os.ReadFile(filepath.Join(photos, name))
		if err != nil {
			return nil, err
		}
		p, _, err := imaging.Decode(b, imaging.DefaultLimits)
		if err != nil {
			return nil, err
		}
		return imaging.Fit(p, width, height, "cover", true), nil
	}
	small, err := cut("water.jpg", 1792, 1024)
	if err != nil {
		return err
	}
	large, err := cut("elephants.jpg", 4096, 4096)
	if err != nil {
		return err
	}
	// A bell curve of some six levels, the same everywhere.
	random := rand.New(rand.NewPCG(1, 2))
	for i, v := range large.Pix() {
		if i%4 < 3 {
			bits := random.Uint32()
			noise := int(bits&7+bits>>3&7+bits>>6&7+bits>>9&7+bits>>12&7+bits>>15&7) - 21
			large.Pix()[i] = byte(min(max(int(v)+noise, 0), 255))
		}
	}
	for _, f := range []struct {
		name, format string
		p            *imaging.Picture
	}{
		{"small.png", "png", small}, {"small.jpg", "jpeg", small},
		{"large.png", "png", large}, {"large.jpg", "jpeg", large},
	} {
		var b bytes.Buffer
		if _, err := f.p.Encode(&b, f.format, 90, false); err != nil {
			return err
		}
		if err := os.WriteFile(f.name, b.Bytes(), 0o666); err != nil {
			return err
		}
	}
	// What the large JPEG is at 1280 by the book, with neither's short cuts.
	b, err := os.ReadFile("large.jpg")
	if err != nil {
		return err
	}
	p, _, err := imaging.Decode(b, imaging.DefaultLimits)
	if err != nil {
		return err
	}
	_, err = save("scaled.png", lanczos(p, 1280, 1280*p.Height()/p.Width()), "png")
	return err
}

// lanczos scales p down with the filter that we and libvips both approximate, of
// three lobes, in floating point and with every pixel.
func lanczos(p *imaging.Picture, width, height int) *imaging.Picture {
	kernel := func(x float64) float64 {
		switch x = math.Abs(x); {
		case x == 0:
			return 1
		case x >= 3:
			return 0
		}
		return 3 * math.Sin(math.Pi*x) * math.Sin(math.Pi*x/3) / (math.Pi * math.Pi * x * x)
	}
	// scale makes n values of each of some rows of values, across or down.
	scale := func(from []float64, rows, step, of, apart, n int, to []float64, toStep, toApart int) {
		ratio := float64(of) / float64(n)
		for i := range n {
			middle := (float64(i)+0.5)*ratio - 0.5
			first, last := int(math.Ceil(middle-3*ratio)), int(math.Floor(middle+3*ratio))
			weights, sum := make([]float64, last-first+1), 0.0
			for k := range weights {
				weights[k] = kernel((float64(first+k) - middle) / ratio)
				sum += weights[k]
			}
			for r := range rows {
				v := 0.0
				for k, w := range weights {
					v += w * from[r*apart+min(max(first+k, 0), of-1)*step]
				}
				to[r*toApart+i*toStep] = v / sum
			}
		}
	}
	out := imaging.New(width, height)
	w, h := p.Width(), p.Height()
	from, half, to := make([]float64, w*h), make([]float64, width*h), make([]float64, width*height)
	for c := range 3 {
		for i := range from {
			from[i] = float64(p.Pix()[4*i+c])
		}
		scale(from, h, 1, w, w, width, half, 1, width)
		scale(half, width, width, h, 1, height, to, width, 1)
		for i, v := range to {
			out.Pix()[4*i+c] = byte(min(max(math.Round(v), 0), 255))
		}
	}
	for i := 3; i < len(out.Pix()); i += 4 {
		out.Pix()[i] = 255
	}
	return out
}

// A job is what both sides do: it prepares, and returns what is repeated and
// counts bytes.
type job struct {
	times   int
	prepare func() (func() (int, error), error)
}

var jobs = map[string]job{
	"dimensions": {1000, func() (func() (int, error), error) {
		b, err := os.ReadFile("large.png")
		return func() (int, error) {
			info, err := imaging.Measure(b, imaging.DefaultLimits)
			return info.Width, err
		}, err
	}},
	"png": {4, func() (func() (int, error), error) {
		p, err := read("small.png")
		return func() (int, error) { return encoded(p, "png") }, err
	}},
	"jpeg": {8, func() (func() (int, error), error) {
		p, err := read("small.png")
		return func() (int, error) { return save("jpeg-ours.jpg", p, "jpeg") }, err
	}},
	"decode-png":         {4, func() (func() (int, error), error) { return decodes("small.png") }},
	"decode-jpeg":        {8, func() (func() (int, error), error) { return decodes("small.jpg") }},
	"decode-progressive": {4, func() (func() (int, error), error) { return decodes("progressive.jpg") }},
	"resize-small":       {8, func() (func() (int, error), error) { return resizes("small.png", 640) }},
	"resize-large":       {2, func() (func() (int, error), error) { return resizes("large.jpg", 1280) }},
	"scaled": {1, func() (func() (int, error), error) {
		b, err := os.ReadFile("large.jpg")
		return func() (int, error) {
			p, _, err := imaging.DecodeFor(b, imaging.DefaultLimits, imaging.Box{Width: 1280})
			if err != nil {
				return 0, err
			}
			return save("scaled-ours.png", imaging.Fit(p, 1280, 0, "fill", false), "png")
		}, err
	}},
	"small-set":      {2, func() (func() (int, error), error) { return sets("small.png", encoded, nil) }},
	"small-set-webp": {1, func() (func() (int, error), error) { return sets("small.png", encoded, cwebp) }},
	"large-set":      {1, func() (func() (int, error), error) { return sets("large.jpg", encoded, nil) }},
}

// runJob does a job of that name and tells what one run of it cost.
func runJob(w io.Writer, name string) error {
	j, ok := jobs[name]
	if !ok {
		return fmt.Errorf("there is no job %q", name)
	}
	run, err := j.prepare()
	if err != nil {
		return err
	}
	count, err := run() // what is made once does not count
	before := selfCPU() + childrenCPU()
	for range j.times {
		if err == nil {
			count, err = run()
		}
	}
	if err != nil {
		return err
	}
	spent := selfCPU() + childrenCPU() - before
	if spent <= 0 {
		return errNoCPU
	}
	fmt.Fprintf(w, "%d ns each, %d bytes\n", int(spent)/j.times, count)
	return nil
}

// runSite makes what Hugo makes, and writes it.
func runSite(w io.Writer, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	made := 0
	for _, name := range []string{"small.png", "large.jpg"} {
		write := func(p *imaging.Picture, format string) (int, error) {
			made++
			return save(filepath.Join(dir, fmt.Sprintf("%s-%d.jpg", name, p.Width())), p, format)
		}
		run, err := sets(name, write, nil)
		if err == nil {
			_, err = run()
		}
		if err != nil {
			return err
		}
	}
	fmt.Fprintln(w, "made", made)
	return nil
}

func read(name string) (*imaging.Picture, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p, _, err := imaging.Decode(b, imaging.DefaultLimits)
	return p, err
}

func decodes(name string) (func() (int, error), error) {
	b, err := os.ReadFile(name)
	return func() (int, error) {
		p, _, err := imaging.Decode(b, imaging.DefaultLimits)
		if err != nil {
			return 0, err
		}
		return len(p.Pix()), nil
	}, err
}

func resizes(name string, width int) (func() (int, error), error) {
	p, err := read(name)
	return func() (int, error) { return len(imaging.Fit(p, width, 0, "fill", false).Pix()), nil }, err
}

// sets decodes once and makes every width of it, and WebP where that is asked
// for.
func sets(name string, write func(p *imaging.Picture, format string) (int, error), webp func(*imaging.Picture) (int, error)) (func() (int, error), error) {
	b, err := os.ReadFile(name)
	var boxes []imaging.Box
	for _, width := range widths {
		boxes = append(boxes, imaging.Box{Width: width})
	}
	return func() (total int, err error) {
		p, _, err := imaging.DecodeFor(b, imaging.DefaultLimits, boxes...)
		if err != nil {
			return 0, err
		}
		for _, width := range widths {
			q := imaging.Fit(p, width, 0, "fill", false)
			n, err := write(q, "jpeg")
			if err == nil && webp != nil {
				total += n
				n, err = webp(q)
			}
			if err != nil {
				return 0, err
			}
			total += n
		}
		return total, nil
	}, err
}

func encoded(p *imaging.Picture, format string) (int, error) {
	var b bytes.Buffer
	_, err := p.Encode(&b, format, 80, false)
	return b.Len(), err
}

func save(name string, p *imaging.Picture, format string) (int, error) {
	var b bytes.Buffer
	if _, err := p.Encode(&b, format, 80, false); err != nil {
		return 0, err
	}
	return b.Len(), os.WriteFile(name, b.Bytes(), 0o666)
}

// cwebp hands pixels to the program by a pipe, as a PPM.
func cwebp(p *imaging.Picture) (int, error) {
	ppm := fmt.Appendf(nil, "P6\n%d %d\n255\n", p.Width(), p.Height())
	for i := 0; i < len(p.Pix()); i += 4 {
		ppm = append(ppm, p.Pix()[i:i+3]...)
	}
	cmd := exec.Command("cwebp", "-quiet", "-q", "80", "-m", "4", "-o", "-", "--", "-")
	cmd.Stdin = bytes.NewReader(ppm)
	out, err := cmd.Output()
	return len(out), err
}

// runSSIM tells how alike two pictures of one size are.
func runSSIM(w io.Writer, names string) error {
	one, other, _ := strings.Cut(names, " ")
	p, err := read(one)
	if err != nil {
		return err
	}
	q, err := read(other)
	if err != nil {
		return err
	}
	if p.Width() != q.Width() || p.Height() != q.Height() {
		return fmt.Errorf("%s and %s differ in size", one, other)
	}
	fmt.Fprintln(w, ssim(p, q))
	return nil
}

// ssim is the mean structural similarity of the luma of two pictures, over
// squares of eight pixels that overlap by half.
func ssim(p, q *imaging.Picture) float64 {
	const side, n = 8, 64
	luma := func(b []byte) float64 { return 0.299*float64(b[0]) + 0.587*float64(b[1]) + 0.114*float64(b[2]) }
	var total float64
	squares := 0
	for y := 0; y+side <= p.Height(); y += side / 2 {
		for x := 0; x+side <= p.Width(); x += side / 2 {
			var a, b, aa, bb, ab float64
			for i := range n {
				at := 4 * ((y+i/side)*p.Width() + x + i%side)
				u, v := luma(p.Pix()[at:]), luma(q.Pix()[at:])
				a, b, aa, bb, ab = a+u, b+v, aa+u*u, bb+v*v, ab+u*v
			}
			a, b = a/n, b/n
			va, vb, cov := aa/n-a*a, bb/n-b*b, ab/n-a*b
			const c1, c2 = (0.01 * 255) * (0.01 * 255), (0.03 * 255) * (0.03 * 255)
			total += (2*a*b + c1) * (2*cov + c2) / ((a*a + b*b + c1) * (va + vb + c2))
			squares++
		}
	}
	return total / float64(squares)
}
