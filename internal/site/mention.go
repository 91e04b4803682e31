package site

import (
	"bytes"
	"context"
	"io/fs"
	"net/url"
	"path"
	"strings"
)

// Sought is an image that the text of a site may mention.
type Sought struct {
	Image string   // its address
	Key   string   // its name in a manifest; "" not to look for it
	Files []string // slash paths of its outputs
}

// Mention says where the text of a site names an image.
type Mention struct {
	File string `json:"file"`
	Line int    `json:"line"`
	// Sure: the name of one of its files, its address, or its key where imgbuild is
	// spoken of. Else it is only a word that is also its key.
	Sure bool `json:"sure"`
}

// Mentions is what Mentioned found.
type Mentions struct {
	Of      map[string]Mention // by address: the first one, a sure one if there is any
	Files   int                // texts that were read
	Skipped []Skipped
}

// Mentioned looks for names of images in all texts below a folder but those that
// leave says. What is no text is passed over. It looks at words and not at what
// they mean: a name that is put together is found only where its first part is
// that of an image with for_each, as in "post/" + slug.
func Mentioned(ctx context.Context, site fs.FS, images []Sought, leave func(name string, folder bool) bool) (Mentions, error) {
	l := &looker{site: site}
	s := seeker{files: map[string][]int{}, keys: map[string][]int{}, bases: map[string][]int{}, addresses: map[string]int{}, images: images, found: map[string]Mention{}}
	for i, im := range images {
		s.add(i, im)
	}
	n := 0
	err := fs.WalkDir(site, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && name == ".":
			return err
		case err != nil:
			l.skip(name, err)
			return nil
		case name != "." && leave(name, d.IsDir()):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || picture[strings.ToLower(path.Ext(name))] || noText[strings.ToLower(path.Ext(name))] || d.Type()&fs.ModeSymlink == 0 && !d.Type().IsRegular():
			return nil
		}
		b, err := l.read(name)
		if err != nil {
			l.skip(name, err)
			return nil
		}
		if bytes.IndexByte(b[:min(len(b), 8<<10)], 0) >= 0 {
			return nil
		}
		n++
		s.read(name, b)
		return nil
	})
	return Mentions{s.found, n, l.report.Skipped}, err
}

// Endings of what is no text, so that it needn't be opened.
var (
	picture = map[string]bool{".png": true, ".jpg": true, ".jpeg": true, ".webp": true, ".avif": true, ".gif": true, ".ico": true}
	noText  = map[string]bool{".woff": true, ".woff2": true, ".mp4": true, ".pdf": true, ".zip": true}
)

type seeker struct {
	images    []Sought
	files     map[string][]int // by the name of a file
	keys      map[string][]int
	bases     map[string][]int // by the name of an image with for_each
	addresses map[string]int
	keyed     []int     // with an address that no word can be: it has a key
	odd       []oddName // names of files and keys that no word can be
	found     map[string]Mention
}

// oddName is a name with blanks and the like.
type oddName struct {
	text  string
	image int
	key   bool
}

func (s *seeker) add(i int, im Sought) {
	for _, f := range im.Files {
		base := path.Base(f)
		if strings.ContainsFunc(base, notWord) {
			s.odd = append(s.odd, oddName{base, i, false})
		}
		s.files[base] = append(s.files[base], i) // also as it is escaped in a URL
	}
	s.addresses[im.Image] = i
	if strings.ContainsFunc(im.Image, notWord) {
		s.keyed = append(s.keyed, i)
	}
	if im.Key == "" {
		return
	}
	s.keys[im.Key] = append(s.keys[im.Key], i)
	if strings.ContainsFunc(im.Key, notWord) {
		s.odd = append(s.odd, oddName{im.Key, i, true})
	}
	if base, _, keyed := strings.Cut(im.Key, "/"); keyed {
		s.bases[base] = append(s.bases[base], i)
	}
}

// notWord reports whether a character ends a word: those of file names and URLs
// do not.
func notWord(r rune) bool {
	return r < 0x80 && !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./%~", r))
}

// read looks at each word of a text.
func (s *seeker) read(name string, b []byte) {
	spoken := bytes.Contains(bytes.ToLower(b), []byte("imgbuild"))
	line := 0
	for text := range bytes.Lines(b) {
		line++
		see := func(images []int, sure bool) {
			for _, i := range images {
				a := s.images[i].Image
				if was, ok := s.found[a]; !ok || sure && !was.Sure {
					s.found[a] = Mention{name, line, sure}
				}
			}
		}
		for word := range bytes.FieldsFuncSeq(text, notWord) {
			w := strings.Trim(string(word), ".")
			if strings.IndexByte(w, '%') >= 0 {
				if plain, err := url.PathUnescape(w); err == nil {
					w = plain
				}
			}
			if len(w) > 4096 {
				continue // no name, but a data URL or the like
			}
			base := w[strings.LastIndexByte(w, '/')+1:]
			see(s.files[base], true)
			see(s.keys[strings.TrimPrefix(w, "/")], spoken)
			if i, ok := s.addresses[w]; ok {
				see([]int{i}, true)
			}
			// images.hero, and m.images.hero.alt
			if _, rest, ok := strings.Cut("."+w, ".images."); ok {
				key, _, _ := strings.Cut(rest, ".")
				see(s.keys[key], true)
			}
			// "post/" + slug, printf "/img/post/%s"
			if start, _, ok := strings.Cut(w+"%", "/%"); ok {
				see(s.bases[path.Base(start)], spoken)
			}
		}
		if bytes.Contains(text, []byte("image.")) && bytes.IndexByte(text, '[') >= 0 {
			for _, i := range s.keyed {
				if bytes.Contains(text, []byte(s.images[i].Image)) {
					see([]int{i}, true)
				}
			}
		}
		for _, o := range s.odd {
			if was, ok := s.found[s.images[o.image].Image]; (!ok || !was.Sure) && bytes.Contains(text, []byte(o.text)) {
				see([]int{o.image}, !o.key || spoken)
			}
		}
	}
}
