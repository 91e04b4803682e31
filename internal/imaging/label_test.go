package imaging

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// unlabelled are pictures in all formats and layouts that a label goes into.
func unlabelled(t testing.TB) map[string][]byte {
	jfif := encode(t, sample(9, 7, false), "jpeg")
	jfif = append([]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"), jfif[2:]...)
	return map[string][]byte{
		"png": encode(t, sample(9, 7, true), "png"), "jpeg": encode(t, sample(9, 7, false), "jpeg"), "jfif.jpeg": jfif,
		"lossless.webp": webps[0], "lossy.webp": webps[1], "alpha.webp": webps[2],
	}
}

var fullLabel = Label{SourceType: "trainedAlgorithmicMedia", Credit: `Ünï & "Söhne" <studio>`, License: "https://example.com/terms?a=1&b=2", Alt: "A lake\nbelow mountains", Caption: "🏔 by night"}

func TestRelabel(t *testing.T) {
	t.Parallel()
	for name, b := range unlabelled(t) {
		if m := ReadMarks(bytes.NewReader(b), int64(len(b))); m != (Marks{}) {
			t.Errorf("%s: marks %+v before there are any", name, m)
		}
		plain, info, err := Decode(b, DefaultLimits)
		if err != nil {
			t.Fatal(name, err)
		}
		labelled := b
		for _, l := range []Label{{SourceType: "algorithmicMedia"}, fullLabel, {Credit: "Me", License: "CC-BY-4.0"}} {
			if labelled, err = Relabel(labelled, l); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if m := ReadMarks(bytes.NewReader(labelled), int64(len(labelled))); m != (Marks{Label: l, Tool: Tool}) {
				t.Errorf("%s: %s", name, cmp.Diff(Marks{Label: l, Tool: Tool}, m))
			}
			p, has, err := Decode(labelled, DefaultLimits)
			if err != nil || has != info || Digest(p) != Digest(plain) {
				t.Errorf("%s: the picture changed: %+v, %v", name, has, err)
			}
			once, err := Relabel(b, l)
			if err != nil || !bytes.Equal(once, labelled) {
				t.Errorf("%s: the bytes depend on the label before (%v)", name, err)
			}
		}
		bare, err := Relabel(labelled, Label{})
		if err != nil || !bytes.Equal(bare, b) {
			t.Errorf("%s: without its label it is not what it was (%v): %d bytes, then %d", name, err, len(b), len(bare))
		}
	}
}

// TestRelabelRefuses: nothing is half written.
func TestRelabelRefuses(t *testing.T) {
	t.Parallel()
	for name, b := range unlabelled(t) {
		for n := range b {
			if out, err := Relabel(b[:n], fullLabel); err == nil && !strings.HasSuffix(name, "jpeg") { // the pixels of a JPEG are not walked
				t.Fatalf("%s: %d of %d bytes became %d", name, n, len(b), len(out))
			}
		}
		if _, err := Relabel(b, Label{Alt: strings.Repeat("a", MaxLabel), Credit: "b"}); err == nil || !strings.Contains(err.Error(), "over the limit") {
			t.Errorf("%s: a label without end: %v", name, err)
		}
		if _, err := Relabel(b, Label{Alt: strings.Repeat("\"", MaxLabel)}); err != nil {
			t.Errorf("%s: the longest label that is allowed: %v", name, err)
		}
		signed := withC2PA(t, b)
		if m := ReadMarks(bytes.NewReader(signed), int64(len(signed))); !m.C2PA {
			t.Errorf("%s: its manifest is not seen", name)
		}
		if _, err := Relabel(signed, fullLabel); !errors.Is(err, ErrSigned) {
			t.Errorf("%s: %v, and its manifest would not hold any more", name, err)
		}
	}
	for _, b := range []string{"", "GIF89a", "\x89PNG\r\n\x1a\n", "RIFF\x04\x00\x00\x00WEBP", "\xff\xd8\xff"} {
		if _, err := Relabel([]byte(b), fullLabel); err == nil {
			t.Errorf("%q got a label", b)
		}
	}
}

// jumbf is the head of a C2PA manifest store.
const jumbf = "\x00\x00\x00\x2ajumb\x00\x00\x00\x22jumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71\x03c2pa\x00"

// withC2PA puts the head of a manifest where its format wants it.
func withC2PA(t testing.TB, b []byte) []byte {
	switch Sniff(b) {
	case "png":
		chunk := "caBX" + jumbf
		c := binary.BigEndian.AppendUint32(nil, uint32(len(jumbf)))
		c = binary.BigEndian.AppendUint32(append(c, chunk...), crc32.ChecksumIEEE([]byte(chunk)))
		return bytes.Join([][]byte{b[:33], c, b[33:]}, nil)
	case "jpeg":
		return bytes.Join([][]byte{b[:2], {0xff, 0xeb, 0, byte(2 + 8 + len(jumbf))}, []byte("JP\x00\x01\x00\x00\x00\x01" + jumbf), b[2:]}, nil)
	case "webp":
		out := append(bytes.Clone(b), "C2PA"...)
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(jumbf))), jumbf...)
		binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
		return out
	}
	t.Fatal("no such format")
	return nil
}

// TestMarks reads what others write.
func TestMarks(t *testing.T) {
	t.Parallel()
	const attributes = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
		<rdf:Description rdf:about="" xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:p="http://ns.adobe.com/photoshop/1.0/"
		e:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia" p:Credit="Made with Google AI"/></rdf:RDF></x:xmpmeta>`
	const resource = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
		<rdf:Description><e:DigitalSourceType xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" rdf:resource="https://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"/>
		<d:description xmlns:d="http://purl.org/dc/elements/1.1/"><rdf:Alt><rdf:li xml:lang="x-default">first</rdf:li><rdf:li xml:lang="de">zweite</rdf:li></rdf:Alt></d:description></rdf:Description></rdf:RDF></x:xmpmeta>`
	png := encode(t, sample(3, 3, false), "png")
	avif := "\x00\x00\x00\x18ftypavif\x00\x00\x00\x00avifmif1" + "\x00\x00\x00\x1cuuid\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81jumb"
	for _, c := range []struct {
		name, file string
		want       Marks
	}{
		{"attributes", string(withTexts(t, [2]string{"iTXt", pngXMP + "\x00\x00\x00\x00" + attributes})), Marks{Label: Label{SourceType: "trainedAlgorithmicMedia", Credit: "Made with Google AI"}}},
		{"compressed", string(withTexts(t, [2]string{"iTXt", pngXMP + "\x01\x00\x00\x00" + deflated(attributes)})), Marks{Label: Label{SourceType: "trainedAlgorithmicMedia", Credit: "Made with Google AI"}}},
		{"avif", avif + resource, Marks{Label: Label{SourceType: "compositeSynthetic", Caption: "first"}, C2PA: true}},
		{"avif cut off", avif[:30], Marks{}},
		{"gif", "GIF89a" + strings.Repeat("x", 1<<20) + resource, Marks{Label: Label{SourceType: "compositeSynthetic", Caption: "first"}}},
		{"packet cut off", "GIF89a" + strings.TrimSuffix(resource, "</x:xmpmeta>"), Marks{}},
		{"deep", string(withTexts(t, [2]string{"iTXt", pngXMP + "\x00\x00\x00\x00" + strings.Repeat("<a>", 100) + attributes})), Marks{}},
		{"an entity", string(withTexts(t, [2]string{"iTXt", pngXMP + "\x00\x00\x00\x00" + `<!DOCTYPE a [<!ENTITY b "c">]>` + strings.ReplaceAll(attributes, "Google", "&b;")})), Marks{}},
		{"without", string(png), Marks{}},
		{"nothing", "", Marks{}},
	} {
		if m := ReadMarks(strings.NewReader(c.file), int64(len(c.file))); m != c.want {
			t.Errorf("%s: %s", c.name, cmp.Diff(c.want, m))
		}
	}
}

// TestOthersReadLabels asks exiftool what it sees, and the checkers of two
// formats whether the files are sound.
func TestOthersReadLabels(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files []string
	for name, b := range unlabelled(t) {
		labelled, err := Relabel(b, fullLabel)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, labelled, 0o666); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		if strings.HasSuffix(name, "png") {
			run(t, "pngcheck", "-q", file)
		}
		if strings.HasSuffix(name, "webp") {
			run(t, "webpinfo", "-quiet", file)
		}
	}
	var tags []map[string]any
	if err := json.Unmarshal(run(t, "exiftool", append([]string{"-j", "-n", "-G1", "-warning", "-XMP:all"}, files...)...), &tags); err != nil {
		t.Fatal(err)
	}
	if len(tags) != len(files) {
		t.Fatalf("exiftool read %d of %d files", len(tags), len(files))
	}
	for _, got := range tags {
		delete(got, "SourceFile")
		want := map[string]any{
			"XMP-iptcExt:DigitalSourceType": SourceTypes + "trainedAlgorithmicMedia", "XMP-xmp:CreatorTool": "imgbuild", "XMP-photoshop:Credit": fullLabel.Credit,
			"XMP-xmpRights:WebStatement": fullLabel.License, "XMP-iptcCore:AltTextAccessibility": fullLabel.Alt, "XMP-dc:Description": fullLabel.Caption,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// run runs a program that scripts/setup installs.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v (scripts/setup installs it)\n%s", name, err, out)
	}
	return out
}

func FuzzRelabel(f *testing.F) {
	for _, b := range unlabelled(f) {
		labelled, err := Relabel(b, fullLabel)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, "alt")
		f.Add(labelled, "")
		f.Add(withC2PA(f, b), "x")
	}
	f.Fuzz(func(t *testing.T, b []byte, alt string) {
		m := ReadMarks(bytes.NewReader(b), int64(len(b)))
		if l := m.Label; !utf8.ValidString(l.Alt + l.Credit + l.License + l.Caption + l.SourceType + m.Tool) {
			t.Fatalf("%+v", m)
		}
		want := Label{SourceType: "algorithmicMedia", Alt: alt}
		out, err := Relabel(b, want)
		if err != nil {
			return
		}
		again, err := Relabel(out, want)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("the second label differs from the first: %v", err)
		}
		if m := ReadMarks(bytes.NewReader(out), int64(len(out))); m.Label.SourceType != want.SourceType || m.Tool != Tool {
			t.Fatalf("%+v was written, %+v is read", want, m)
		}
		lim := Limits{Bytes: 1 << 17, Side: 512, Pixels: 1 << 16}
		p, info, err := Decode(b, lim)
		if err != nil {
			return
		}
		q, has, err := Decode(out, lim)
		if err != nil || info != has || Digest(p) != Digest(q) {
			t.Fatalf("the picture was %+v and is %+v: %v", info, has, err)
		}
	})
}
