package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// blockSize is the length of every image block that the bench writes: that of
// the blocks with which terraform and the parsers were measured first.
const blockSize = 310

const perFile = 100

// pictures is the folder of every project that the outputs are in.
const pictures = "static/pictures"

// words fill a prompt up to its length.
const words = "a quiet harbour at dawn with small boats, mist over the water, a lighthouse far away on " +
	"the rocks, gulls in a pale sky, long soft shadows, painted with broad and patient strokes in muted colours."

// value is one image as both tools are asked for it.
type value struct {
	Model  string `json:"model"`
	Path   string `json:"path"`
	Prompt string `json:"prompt"`
	Size   string `json:"size"`
	Style  string `json:"style"`
}

func (v value) body(indent string) string {
	return fmt.Sprintf("%[1]sprompt = %[2]q\n%[1]ssize   = %[3]q\n%[1]sstyle  = %[4]q\n%[1]smodel  = %[5]q\n%[1]spath   = %[6]q\n",
		indent, v.Prompt, v.Size, v.Style, v.Model, v.Path)
}

func name(i int) string { return fmt.Sprintf("harbour_%06d", i) }

// image is the i-th image: a picture of its own, in a folder of its file.
func image(i int, size string) value {
	v := value{Model: "sketch-1", Size: size, Style: "natural", Path: fmt.Sprintf("%s/%04d/%s.png", pictures, i/perFile, name(i)), Prompt: name(i) + " "}
	v.Prompt += words[:blockSize-len(block(i, v))]
	return v
}

func block(i int, v value) string {
	return fmt.Sprintf("image %q {\n%s}\n", name(i), v.body("  "))
}

// writeBlocks writes n blocks into files of 100, named by their number and ext.
func writeBlocks(dir, ext string, n int, block func(int) string) error {
	for first := 0; first < n; first += perFile {
		var b strings.Builder
		for i := first; i < min(first+perFile, n); i++ {
			b.WriteString(block(i))
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%04d%s", first/perFile, ext)), []byte(b.String()), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// writeProject writes n literal images and the settings file.
func writeProject(dir string, n int, size string) error {
	if err := writeSettings(dir); err != nil {
		return err
	}
	return writeBlocks(dir, ".img.hcl", n, func(i int) string { return block(i, image(i, size)) })
}

func writeSettings(dir string) error {
	return os.WriteFile(filepath.Join(dir, "settings.img.hcl"), []byte("provider \"sketch\" {}\n"), 0o666)
}

// forEachFile holds one image block with n instances: five attributes, two of
// them templates. The keys come from data, as those of a site's posts do.
const (
	forEachFile = "posts.img.hcl"
	forEachData = "posts.json"
	forEach     = `image "post" {
  for_each = jsondecode(file("` + forEachData + `"))
  prompt   = "A quiet harbour at dawn, ${each.value}, mist over the water, for the post ${each.key}"
  size     = "16x16"
  style    = "natural"
  model    = "sketch-1"
  path     = "` + pictures + `/${each.key}.png"
}
`
)

func writeForEach(dir string, n int) error {
	if err := writeSettings(dir); err != nil {
		return err
	}
	posts := make(map[string]string, n)
	for i := range n {
		posts[name(i)] = fmt.Sprintf("boat %d", i)
	}
	b, err := json.Marshal(posts)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, forEachData), b, 0o666); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, forEachFile), []byte(forEach), 0o666)
}

// writeTerraform writes n terraform_data resources of the same values and a
// state in which all of them exist.
func writeTerraform(dir string, n int) error {
	err := writeBlocks(dir, ".tf", n, func(i int) string {
		return fmt.Sprintf("resource \"terraform_data\" %q {\n  input = {\n%s  }\n}\n", name(i), image(i, "16x16").body("    "))
	})
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "terraform.tfstate"))
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	// The oldest version that has terraform_data: a newer state would be refused.
	fmt.Fprint(w, `{"version":4,"terraform_version":"1.4.0","serial":1,"lineage":"00000000-0000-0000-0000-000000000001","outputs":{},"resources":[`)
	for i := range n {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		v, err := json.Marshal(image(i, "16x16"))
		if err != nil {
			return err
		}
		object := fmt.Sprintf(`{"value":%s,"type":["object",{"model":"string","path":"string","prompt":"string","size":"string","style":"string"}]}`, v)
		fmt.Fprintf(w, `
{"mode":"managed","type":"terraform_data","name":%q,"provider":"provider[\"terraform.io/builtin/terraform\"]","instances":[{"schema_version":0,`+
			`"attributes":{"id":"00000000-0000-0000-0000-%012d","input":%s,"output":%[3]s,"triggers_replace":null},"sensitive_attributes":[]}]}`,
			name(i), i, object)
	}
	fmt.Fprint(w, "]}\n")
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// writeNinja writes n edges that copy a file, with the files.
func writeNinja(dir string, n int) error {
	var b strings.Builder
	b.WriteString("rule cp\n  command = cp $in $out\n  restat = 1\n")
	for i := range n {
		in := fmt.Sprintf("in/%04d/%s", i/perFile, name(i))
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(in)), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, in), []byte(in), 0o666); err != nil {
			return err
		}
		fmt.Fprintf(&b, "build out/%04d/%s: cp %s\n", i/perFile, name(i), in)
	}
	return os.WriteFile(filepath.Join(dir, "build.ninja"), []byte(b.String()), 0o666)
}
