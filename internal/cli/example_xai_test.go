package cli_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imgbuild/imgbuild/internal/cli"
	"github.com/imgbuild/imgbuild/internal/emulator"
	"github.com/imgbuild/imgbuild/internal/imaging"
)

// TestExampleXAI applies the twins of the page's samples against the emulator,
// in both wires, over both transports, and looks at the pictures.
func TestExampleXAI(t *testing.T) {
	t.Parallel()
	for _, wire := range []string{"current", "documented"} {
		for _, transport := range []string{"rest", "grpc"} {
			t.Run(wire+" "+transport, func(t *testing.T) {
				t.Parallel()
				exampleXAI(t, wire, transport)
			})
		}
	}
}

func exampleXAI(t *testing.T, wire, transport string) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/xai")); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	service := emulator.New(emulator.Config{Profile: wire, Log: &log})
	server := service.HTTP()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	defer server.Close()
	variables := []string{"-var", "endpoint=http://" + l.Addr().String() + "/v1", "-var", "wire=" + wire, "-var", "transport=" + transport}
	imgbuild := func(args ...string) (stdout string) {
		t.Helper()
		if args[0] != "show" {
			args = append(args, variables...)
		}
		var out, talk bytes.Buffer
		code := cli.Main(&cli.Env{
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &talk, Now: time.Now, Dir: dir, Getenv: func(string) string { return "" },
			Args: args,
		})
		if code != 0 {
			t.Fatalf("imgbuild %q ends with %d\n%s%s", args, code, &out, &talk)
		}
		return out.String()
	}
	plan := imgbuild("plan")
	imgbuild("apply", "-auto-approve")
	if again := imgbuild("plan"); !strings.HasPrefix(again, "No changes.") {
		t.Errorf("after apply: %s", again)
	}
	imgbuild("verify")

	// What is asked and what is paid: 24 addresses with one image or four, of
	// which one shares its four.
	stats := service.Stats()
	if stats.Images != 27 || stats.Requests != 24 {
		t.Errorf("%d images by %d requests", stats.Images, stats.Requests)
	}
	// On our side is done what the wire lacks, and the plan says so.
	local := wire == "current" || transport == "grpc"
	for _, note := range []string{"size 1792x1024 by a crop of 16:9 at 2k", "style by words in the prompt", "mask kept by putting the original pixels back"} {
		if strings.Contains(plan, note) != local {
			t.Errorf("the plan says %q: %v", note, !local)
		}
	}
	// One transport, and the words of the wire.
	sent := log.String()
	if strings.Contains(sent, "/xai_api.Image/GenerateImage") != (transport == "grpc") || strings.Contains(sent, "/v1/images/generations") != (transport == "rest") {
		t.Errorf("not over %s: %s", transport, sent)
	}
	if strings.Contains(sent, "Vivid, dramatic") != local {
		t.Errorf("words for the style: %v", !local)
	}

	look := func(name string) *imaging.Picture {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := imaging.Decode(b, imaging.DefaultLimits)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return p
	}
	pictures, err := fs.Glob(os.DirFS(filepath.Join(dir, "img")), "*")
	if err != nil || len(pictures) != 25 {
		t.Errorf("%d pictures: %q, %v", len(pictures), pictures, err)
	}
	seen := map[string]string{}
	for _, name := range pictures {
		p := look("img/" + name)
		if p.Width() < 384 || p.Height() < 384 || plain(p) {
			t.Errorf("%s: %dx%d, plain: %v", name, p.Width(), p.Height(), plain(p))
		}
		if d := imaging.Digest(p).String(); seen[d] != "" {
			t.Errorf("%s and %s are one picture", name, seen[d])
		} else {
			seen[d] = name
		}
	}
	for name, size := range map[string][2]int{
		"generate_size.png": {1024, 1024}, "curl.png": {1024, 1024}, "edit_mask.png": {1024, 1024},
		"size-1024x1024.png": {1024, 1024}, "size-1792x1024.png": {1792, 1024}, "size-1024x1792.png": {1024, 1792},
	} {
		if p := look("img/" + name); p.Width() != size[0] || p.Height() != size[1] {
			t.Errorf("%s: %dx%d", name, p.Width(), p.Height())
		}
	}
	for name, ratio := range map[string]float64{
		"aspect_ratio": 4. / 3, "edit": 4. / 3, "frame-1x1": 1, "frame-4x3": 4. / 3, "frame-3x4": 3. / 4, "frame-16x9": 16. / 9, "frame-9x16": 9. / 16, "frame-3x2": 3. / 2, "frame-2x3": 2. / 3,
	} {
		if p := look("img/" + name + ".jpg"); float64(p.Width())/float64(p.Height())/ratio > 1.05 || float64(p.Width())/float64(p.Height())/ratio < 0.95 {
			t.Errorf("%s: %dx%d", name, p.Width(), p.Height())
		}
	}

	// The edits: the dog is where the cat was, the rainbow only in the sky.
	if in, out := difference(look("original.png"), look("img/edit_mask.png"), look("mask.png")); in == 0 || out != 0 {
		t.Errorf("%d pixels changed inside the mask and %d outside it", in, out)
	}

	var shown struct {
		Images []struct {
			Address    string
			Candidates []struct {
				SHA256  string
				Price   string
				Revised string `json:"revised_prompt"`
			}
		}
	}
	if err := json.Unmarshal([]byte(imgbuild("show", "-json")), &shown); err != nil {
		t.Fatal(err)
	}
	for _, im := range shown.Images {
		var contents []string
		for _, c := range im.Candidates {
			contents = append(contents, c.SHA256)
			if c.Price == "" || c.Price == "0.00" || (c.Revised == "") != (transport == "grpc") {
				t.Errorf("%s: %+v", im.Address, c)
			}
		}
		slices.Sort(contents)
		want := 1
		if strings.HasPrefix(im.Address, "image.batch") {
			want = 4
		}
		if len(slices.Compact(contents)) != want {
			t.Errorf("%s: %d candidates", im.Address, len(contents))
		}
	}
	if got := imgbuild("output"); strings.Contains(got, `revised_prompt = "A detailed serene`) != (transport == "rest") {
		t.Error(got)
	}
}

// plain reports whether all pixels are equal.
func plain(p *imaging.Picture) bool {
	pix := p.Pix()
	for i := 4; i < len(pix); i += 4 {
		if !bytes.Equal(pix[:4], pix[i:i+4]) {
			return false
		}
	}
	return true
}

// difference counts the pixels that differ where the mask is transparent and
// where it is not.
func difference(a, b, mask *imaging.Picture) (in, out int) {
	for i := 0; i < len(a.Pix()); i += 4 {
		if bytes.Equal(a.Pix()[i:i+4], b.Pix()[i:i+4]) {
			continue
		}
		if mask.Pix()[i+3] == 0 {
			in++
		} else {
			out++
		}
	}
	return in, out
}
