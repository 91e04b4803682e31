package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sameRow applies the same images, told in other orders and files, with other
// parallelism.
func sameRow() *row {
	return &row{
		name: "parallelism 1 to 64, shuffled files",
		must: "the same lock and the same pictures, byte for byte",
		long: 100, batch: 20, short: 2,
		sees: []string{"sketched", "over the wire", "files"},
		run: func(t *trial) error {
			want := map[string]string{}
			for i := range t.n {
				way := "sketch"
				if i%2 == 1 {
					way = ways[(i/2)%len(ways)]
				}
				dir := filepath.Join(t.dir, fmt.Sprint(i))
				if want[way] == "" {
					first := dir + "-first"
					if err := t.same(first, way, func(b []string) map[string]string { return map[string]string{"all.img.hcl": strings.Join(b, "\n")} }, 1, 1); err != nil {
						return err
					}
					want[way] = first
				}
				cut := func(b []string) map[string]string { return t.shuffled(b) }
				parallelism, procs := 1+t.luck.IntN(64), 1+t.luck.IntN(4)
				if err := t.same(dir, way, cut, parallelism, procs); err != nil {
					return err
				}
				if err := t.equal(want[way], dir, fmt.Sprintf("%s, -parallelism=%d, %d processors", way, parallelism, procs)); err != nil {
					return err
				}
				t.count(map[bool]string{true: "sketched", false: "over the wire"}[way == "sketch"], 1)
			}
			return nil
		},
	}
}

// sameBlocks are a project of images of all kinds.
func sameBlocks(way string) (blocks []string) {
	add := func(format string, args ...any) { blocks = append(blocks, fmt.Sprintf(format, args...)) }
	size, n := `size = "64x64"`, 30
	if way != "sketch" {
		size, n = "", 8
	}
	add("preset \"house\" {\n  before = \"Bauhaus.\"\n  tags = [\"x\", \"a\"]\n}\n")
	add("preset \"small\" {\n  preset = preset.house\n  %s\n}\n", size)
	add("locals {\n  words = { a = \"red\", b = \"blue\", c = \"green\" }\n}\n")
	add("budget \"a\" {\n  tags = [\"a\"]\n  max_cost = 9\n}\n")
	for i := range n {
		add("image \"i%d\" {\n  preset = preset.small\n  prompt = \"Sheet %d\"\n  n = %d\n  path = \"out/i%d.png\"\n  rendition \"r\" {\n    width = 32\n    path = \"out/i%d-r.jpg\"\n  }\n}\n", i, i, 1+i%3, i, i)
	}
	for i := range n / 3 {
		add("image \"edit%d\" {\n  prompt = \"Edited %d\"\n  edit {\n    image = image.i%d\n  }\n  depends_on = [image.e, image.i%d]\n}\n", i, i, i, (i+1)%n)
	}
	add("image \"e\" {\n  for_each = local.words\n  preset = preset.small\n  prompt = \"Squares, ${each.value}\"\n}\n")
	add("image \"s1\" {\n  preset = preset.small\n  prompt = \"Shared\"\n  share = true\n}\n")
	add("image \"s2\" {\n  preset = preset.small\n  prompt = \"Shared\"\n  share = true\n}\n")
	add("output \"all\" {\n  value = { for k, v in image.e : k => v.path }\n}\n")
	if way == "sketch" { // elsewhere the order of arrival is the server's
		add("image \"twin1\" {\n  preset = preset.small\n  prompt = \"Twins\"\n}\n")
		add("image \"twin2\" {\n  preset = preset.small\n  prompt = \"Twins\"\n}\n")
	}
	return blocks
}

// shuffled deals blocks out to some files.
func (t *trial) shuffled(blocks []string) map[string]string {
	files := map[string]string{}
	names := make([]string, 1+t.luck.IntN(12))
	for i := range names {
		names[i] = fmt.Sprintf("%c%d.img.hcl", 'a'+rune(t.luck.IntN(26)), t.luck.IntN(1000))
	}
	for _, i := range t.luck.Perm(len(blocks)) {
		files[names[t.luck.IntN(len(names))]] += blocks[i] + "\n"
	}
	t.count("files", len(files))
	return files
}

// same applies a project in a folder.
func (t *trial) same(dir, way string, cut func([]string) map[string]string, parallelism, procs int) error {
	blocks := sameBlocks(way)
	if way == "sketch" {
		blocks = append(blocks, "provider \"sketch\" {}\n")
	} else {
		shop, err := t.open(&painted)
		if err != nil {
			return err
		}
		defer shop.stop()
		blocks = append(blocks, fmt.Sprintf("provider \"xai\" {\n  endpoint = %q\n  parallelism = 64\n  %s\n}\n", shop.endpoint, way))
	}
	if err := write(dir, cut(blocks)); err != nil {
		return err
	}
	cmd := t.imgbuild(dir, "apply", "-auto-approve", "-max-cost=10", fmt.Sprintf("-parallelism=%d", parallelism))
	cmd.Env = append(cmd.Env, fmt.Sprintf("GOMAXPROCS=%d", procs))
	e, err := t.finish(cmd)
	if err == nil && e.code != 0 {
		t.wrong("%s: ended with %d: %s%s", way, e.code, e.stdout, e.stderr)
	}
	return err
}

// equal compares the locks of two folders and the pictures that they name.
func (t *trial) equal(a, b, what string) error {
	x, y, err := bothLocks(a, b)
	if err != nil {
		return err
	}
	if x != y {
		at := 0
		for at < min(len(x), len(y)) && x[at] == y[at] {
			at++
		}
		from := max(0, at-200)
		t.wrong("%s: the lock is another: %s\ninstead of %s", what, y[from:min(len(y), at+200)], x[from:min(len(x), at+200)])
		return nil
	}
	list, err := filepath.Glob(filepath.Join(a, "*", "*.[jp]*g"))
	top, _ := filepath.Glob(filepath.Join(a, "*.[jp]*g"))
	if list = append(list, top...); err != nil || len(list) == 0 {
		return fmt.Errorf("no pictures in %s", a)
	}
	for _, file := range list {
		name, _ := filepath.Rel(a, file)
		want, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if got, err := os.ReadFile(filepath.Join(b, name)); err != nil || string(got) != string(want) {
			t.wrong("%s: %s is another: %v", what, name, err)
		}
	}
	return nil
}
