package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const perSite = 12 // strings in one project

// inertRow gives strings of strangers to every sink, and looks at all that
// comes out.
func inertRow() *row {
	return &row{
		name: "naughty strings, paths, escapes, HTML, SVG, 10 MB: as names, prompts, paths, values, arguments, files, replies",
		must: "no panic, nothing written outside the root or in .git, no byte that a terminal obeys but our own colours, JSON valid and true to the text, DOT and Mermaid well formed, a sane exit code",
		long: 1500, batch: 100, short: len(sinks),
		sees: []string{"strings", "runs", "of these ended well", "bytes read", "files made"},
		run: func(t *trial) error {
			for i := range t.n {
				list := make([]string, perSite)
				for k := range list {
					list[k] = t.naughty()
				}
				t.count("strings", perSite)
				if err := t.inert(filepath.Join(t.dir, fmt.Sprint(i)), sinks[i%len(sinks)], list); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// naughty is a string by luck: one of the lists, two of them, or one very often.
func (t *trial) naughty() string {
	all := naughty()
	one := func() string { return all[t.luck.IntN(len(all))] }
	switch t.luck.IntN(40) {
	case 0:
		return strings.Repeat(one()+"x", 1+t.luck.IntN(2000))
	case 1, 2, 3, 4, 5, 6:
		return one() + one()
	}
	return one()
}

// A sink is a way for strings into a project.
type sink struct {
	name string
	// fill writes a project of them, and returns the commands to run there beside
	// those that are always run.
	fill func(t *trial, dir string, list []string) ([][]string, error)
}

var sinks = []sink{
	{"prompts and texts", fillTexts}, {"texts that are expressions", fillExpressions}, {"paths", fillPaths}, {"names", fillNames},
	{"values of variables", fillVariables}, {"arguments", fillArguments}, {"whole files", fillFiles}, {"names of files", fillFileNames}, {"replies", nil},
}

const sketchSite = "provider \"sketch\" {}\n"

// literal is a string of HCL's JSON syntax that means s itself.
func literal(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(strings.ToValidUTF8(s, "?"))
}

func writeJSON(file string, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o666)
}

type object = map[string]any

func fillTexts(t *trial, dir string, list []string) ([][]string, error) {
	return fillWith(dir, list, literal)
}

func fillExpressions(t *trial, dir string, list []string) ([][]string, error) {
	return fillWith(dir, list, func(s string) string { return s })
}

// fillWith is a project that would be fine if the strings were.
func fillWith(dir string, list []string, text func(string) string) ([][]string, error) {
	images, outputs, keys := object{}, object{}, object{}
	for i, s := range list {
		images[fmt.Sprintf("i%d", i)] = object{
			"prompt": "picture of " + text(s), "alt": text(s), "tags": []any{"t" + text(s)},
			"path": fmt.Sprintf("img/i%d.png", i), "size": "64x64",
		}
		keys[fmt.Sprintf("%d %s", i, text(s))] = text(s)
		outputs[fmt.Sprintf("o%d", i)] = object{"value": text(s), "description": text(s)}
	}
	images["each"] = object{"for_each": keys, "prompt": "${each.key} is ${each.value}", "path": "img/each/${md5(each.key)}.png", "size": "64x64"}
	return nil, writeJSON(filepath.Join(dir, "site.img.json"), object{"provider": object{"sketch": object{}}, "image": images, "output": outputs})
}

func fillPaths(t *trial, dir string, list []string) ([][]string, error) {
	images, modules, outputs, imports := object{}, object{}, object{}, []any{}
	for i, s := range list {
		s, at := literal(s), fmt.Sprintf("i%d", i)
		switch i % 4 {
		case 0:
			images[at] = object{"prompt": "x", "size": "64x64", "path": s}
		case 1:
			images[at] = object{"prompt": "x", "size": "64x64", "path": s + ".png", "rendition": object{"r": object{"width": 8, "path": s + "/r.png"}}}
		case 2:
			images[at] = object{"prompt": "x", "edit": object{"image": s, "mask": object{"file": s}}}
		case 3:
			imports = append(imports, object{"to": "${image." + at + "}", "path": s})
			images[at] = object{"prompt": "x", "size": "64x64"}
		}
		modules[at] = object{"source": s}
		outputs["f"+at] = object{"value": "${[try(file(\"" + "x" + "\"), 1), fileexists(local." + at + "), fileset(local." + at + ", \"*\"), fileset(\".\", local." + at + ")]}"}
	}
	locals := object{}
	for i, s := range list {
		locals[fmt.Sprintf("i%d", i)] = literal(s)
	}
	site := object{"provider": object{"sketch": object{}}, "image": images, "locals": locals}
	// A finding about one kind must not hide what another kind would do.
	switch t.luck.IntN(8) {
	default:
		return nil, t.fillGoodPaths(dir, list)
	case 0:
		site["module"] = modules
	case 1:
		site["output"] = outputs
	case 2:
		site["import"] = imports
	case 3:
		site["imgbuild"] = object{"output_dir": literal(list[0])}
	case 4:
		site["imgbuild"] = object{"store": object{"path": literal(list[0])}}
		site["image"] = object{"a": object{"prompt": "x", "size": "64x64"}, "b": object{"prompt": "x", "size": "64x64", "path": literal(list[1])}}
	}
	return nil, writeJSON(filepath.Join(dir, "site.img.json"), site)
}

// fillGoodPaths keeps those paths that are not refused: one that is hides what
// the others would do.
func (t *trial) fillGoodPaths(dir string, list []string) error {
	images := object{}
	for i, s := range list {
		images[fmt.Sprintf("i%d", i)] = object{"prompt": "x", "size": "64x64", "path": literal(s), "rendition": object{"r": object{"width": 8}}}
	}
	for {
		if err := writeJSON(filepath.Join(dir, "site.img.json"), object{"provider": object{"sketch": object{}}, "image": images}); err != nil {
			return err
		}
		e, err := t.do(dir, "validate", "-json")
		if err != nil {
			return err
		}
		var told struct {
			Diagnostics []struct{ Severity, Address string }
		}
		if err := json.Unmarshal([]byte(e.stdout), &told); err != nil {
			return fmt.Errorf("validate -json: %w: %s", err, e.stderr)
		}
		before := len(images)
		for _, d := range told.Diagnostics {
			if d.Severity == "error" {
				delete(images, strings.TrimPrefix(d.Address, "image."))
			}
		}
		if len(images) == before {
			return nil
		}
	}
}

func fillNames(t *trial, dir string, list []string) ([][]string, error) {
	images, variables, outputs, presets, providers := object{}, object{}, object{}, object{}, object{"sketch": object{}}
	for i, s := range list {
		switch i % 6 {
		case 0:
			images[s] = object{"prompt": "x", "size": "64x64"}
		case 1:
			images[fmt.Sprintf("i%d", i)] = object{"prompt": "x", "size": "64x64", "rendition": object{s: object{"width": 8}}, s: "x"}
		case 2:
			variables[s] = object{"default": s}
		case 3:
			outputs[s] = object{"value": s}
		case 4:
			presets[s] = object{"before": s}
			images[fmt.Sprintf("i%d", i)] = object{"prompt": "x", "model": s, "style": s, "aspect_ratio": s, "size": s, "preset": s, "provider": s}
		case 5:
			providers[s] = object{"alias": s, "endpoint": s, "transport": s}
		}
	}
	return nil, writeJSON(filepath.Join(dir, "site.img.json"), object{"provider": providers, "image": images, "variable": variables, "output": outputs, "preset": presets, list[0]: object{list[1]: list[2]}})
}

func fillVariables(t *trial, dir string, list []string) ([][]string, error) {
	text := sketchSite + "variable \"v\" {\n  type = string\n}\nvariable \"w\" {\n  default = \"\"\n  validation {\n    condition = length(var.w) < 3\n    error_message = \"not ${var.w}\"\n  }\n}\n" +
		"image \"a\" {\n  prompt = \"x ${var.v}\"\n  alt = var.v\n  size = \"64x64\"\n}\noutput \"v\" {\n  value = var.v\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "site.img.hcl"), []byte(text), 0o666); err != nil {
		return nil, err
	}
	var more [][]string
	for _, s := range list {
		if strings.Contains(s, "\x00") || len(s) > 100_000 {
			continue // no argument can be so
		}
		more = append(more, []string{"plan", "-var", "v=" + s}, []string{"output", "-json", "-var", "v=" + s}, []string{"plan", "-var", "v=a", "-var", "w=" + s}, []string{"plan", "-var", s})
	}
	long := strings.Repeat(strings.ReplaceAll(strings.ToValidUTF8(literal(list[0]), ""), "\n", ""), 1)
	for len(long) < 10<<20 && t.luck.IntN(8) == 0 {
		long = strings.Repeat(long+"y", (10<<20)/(len(long)+1)+1)
	}
	return more, writeJSON(filepath.Join(dir, "a.auto.imgvars.json"), object{"v": long})
}

func fillArguments(t *trial, dir string, list []string) ([][]string, error) {
	var more [][]string
	for _, s := range list {
		if strings.Contains(s, "\x00") || len(s) > 100_000 {
			continue
		}
		v := [][]string{
			{"show", s}, {"why", s}, {"plan", "-target", s}, {"plan", "-replace=" + s}, {"plan", "-exclude", s}, {"output", s}, {"eval", s}, {"restore", s},
			{s}, {"plan", s}, {"plan", "-" + s}, {"fmt", "-check", s}, {"plan", "-var-file", s}, {"apply", s}, {"pick", s, "1"}, {"help", s}, {"models", "-offline", s}, {"plan", "-generate-config-out=" + s},
			{"-C", s, "plan"}, {"test", s}, {"completion", s},
		}
		t.luck.Shuffle(len(v), func(i, k int) { v[i], v[k] = v[k], v[i] })
		more = append(more, v[:2]...)
	}
	return more, os.WriteFile(filepath.Join(dir, "site.img.hcl"), []byte(sketchSite+"image \"a\" {\n  prompt = \"x\"\n  size = \"64x64\"\n}\n"), 0o666)
}

func fillFiles(t *trial, dir string, list []string) ([][]string, error) {
	long := list[1]
	if t.luck.IntN(8) == 0 {
		long = strings.Repeat(long+"z", (10<<20)/(len(long)+1)+1)
	}
	files := map[string]string{
		"site.img.hcl": sketchSite + "image \"a\" {\n  prompt = \"" + list[0] + "\"\n  size = \"64x64\"\n}\n" + list[2], "b.img.json": list[3], "x.imgvars": list[4], "a.imgtest.hcl": list[5],
		"imgbuild.lock.json": long, "plan.json": list[6], "posts/p.md": "---\n" + list[7] + "\n---\n", ".imgbuild/index": list[8], ".imgbuild/cache/project": list[9], ".imgbuild/journal/000001.log": list[10],
	}
	left := []string{"imgbuild.lock.json", "b.img.json", "x.imgvars", ".imgbuild/journal/000001.log", "a.imgtest.hcl"}
	for _, name := range left { // else nobody gets further than the first that is wrong
		if t.luck.IntN(2) == 0 {
			delete(files, name)
		}
	}
	var errs []error
	for name, text := range files {
		file := filepath.Join(dir, name)
		errs = append(errs, os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(text), 0o666))
	}
	return [][]string{{"apply", "plan.json"}, {"show", "plan.json"}, {"eval", "frontmatter(\"posts/p.md\")"}, {"fmt", "-check", "-recursive"}, {"fmt", "-diff"}, {"plan", "-var-file", "plan.json"}, {"test"}}, errors.Join(errs...)
}

func fillFileNames(t *trial, dir string, list []string) ([][]string, error) {
	if err := os.MkdirAll(filepath.Join(dir, "posts"), 0o777); err != nil {
		return nil, err
	}
	for _, s := range list {
		name := strings.NewReplacer("/", "_", "\x00", "_").Replace(s)
		if len(name) > 200 || name == "." || name == ".." {
			continue
		}
		// A name that this disk does not take is no sink.
		_ = os.WriteFile(filepath.Join(dir, "posts", name+".md"), []byte("---\ntitle: x\n---\n"), 0o666)
		_ = os.WriteFile(filepath.Join(dir, name+".imgtest.hcl"), []byte("wrong"), 0o666)
		if t.luck.IntN(4) == 0 {
			_ = os.WriteFile(filepath.Join(dir, name+".img.hcl"), []byte("locals { wrong"), 0o666)
		}
	}
	text := sketchSite + "image \"post\" {\n  for_each = fileset(\"posts\", \"**\")\n  prompt = \"x ${each.key} ${frontmatter(\"posts/${each.key}\").title}\"\n  size = \"64x64\"\n  path = \"img/${trimsuffix(each.key, \".md\")}.png\"\n}\noutput \"names\" {\n  value = fileset(\".\", \"**\")\n}\n"
	return [][]string{{"fmt", "-check", "-recursive"}, {"fmt", "-diff"}, {"test"}}, os.WriteFile(filepath.Join(dir, "site.img.hcl"), []byte(text), 0o666)
}

// fillReplies is a project whose server says them.
func (t *trial) fillReplies(dir string, list []string) (stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Prompt string }
		json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&asked)
		var i int
		if _, err := fmt.Sscanf(asked.Prompt, "number %d", &i); err != nil || i >= len(list) {
			http.NotFound(w, r)
			return
		}
		s := list[i]
		body := func(code int, v any) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Request-Id", strings.Map(printable, s))
			w.WriteHeader(code)
			json.NewEncoder(w).Encode(v)
		}
		switch i % 6 {
		case 0:
			body(400, object{"code": s, "error": s})
		case 1:
			body(400, object{"error": object{"message": strings.Repeat(s+"!", 1+i*(10<<20)/len(list)/(len(s)+1)), "code": s, "type": s, "param": s}})
		case 2:
			w.WriteHeader(403)
			w.Write([]byte(s))
		case 3:
			body(200, object{"data": []any{object{"url": s, "revised_prompt": s, "mime_type": s}}, "model": s, "usage": object{"cost_in_usd_ticks": 1}})
		case 4:
			body(200, object{"data": []any{object{"b64_json": tinyPicture, "revised_prompt": s, "mime_type": s}}, "model": s, "usage": object{"cost_in_usd_ticks": 1}})
		case 5:
			body(404, object{"error": s + strings.Repeat("\n", 100) + s})
		}
	})}
	go server.Serve(l)
	var b strings.Builder
	fmt.Fprintf(&b, "provider \"xai\" {\n  endpoint = %q\n  deferred = false\n}\n", "http://"+l.Addr().String()+"/v1")
	for i := range list {
		fmt.Fprintf(&b, "image \"i%d\" {\n  prompt = \"number %d\"\n}\noutput \"o%d\" {\n  value = image.i%d.revised_prompt\n}\n", i, i, i, i)
	}
	return func() { server.Close() }, os.WriteFile(filepath.Join(dir, "site.img.hcl"), []byte(b.String()), 0o666)
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '.'
	}
	return r
}

// tinyPicture is a PNG of one pixel, in base64.
const tinyPicture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

// always is what is run in each project.
var always = [][]string{
	{"validate"}, {"validate", "-json"}, {"plan"}, {"plan", "-json"}, {"apply", "-auto-approve", "-max-cost=10"}, {"apply", "-auto-approve", "-json", "-max-cost=10"}, {"plan", "-json"},
	{"show"}, {"show", "-json"}, {"graph"}, {"graph", "-mermaid"}, {"graph", "-json"}, {"output"}, {"output", "-json"}, {"verify"}, {"verify", "-json"}, {"why", "image.i0"}, {"eval", "var"}, {"providers"},
	{"lint"}, {"lint", "-json"}, {"lint", "-sarif"}, {"lint", "-fix", "-diff"},
}

// inert makes one project, and runs everything in it.
func (t *trial) inert(dir string, in sink, list []string) error {
	root := filepath.Join(dir, "a", "b", "root")
	if err := errors.Join(os.MkdirAll(filepath.Join(root, ".git", "hooks"), 0o777), os.MkdirAll(filepath.Join(dir, "etc"), 0o777)); err != nil {
		return err
	}
	var more [][]string
	var err error
	if in.fill == nil {
		var stop func()
		if stop, err = t.fillReplies(root, list); err == nil {
			defer stop()
		}
	} else {
		more, err = in.fill(t, root, list)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", in.name, err)
	}
	before, err := snapshot(dir)
	if err != nil {
		return err
	}
	colours := t.luck.IntN(2) == 0
	for _, args := range append(more, always...) {
		cmd := t.imgbuild(root, args...)
		if colours {
			cmd.Env = append(cmd.Env, "CLICOLOR_FORCE=1")
		}
		together(cmd)
		e, late, err := t.watched(cmd)
		if err != nil {
			return fmt.Errorf("%.200q: %w", args, err)
		}
		t.count("runs", 1)
		if e.code == 0 {
			t.count("of these ended well", 1)
		}
		t.count("bytes read", len(e.stdout)+len(e.stderr))
		wrong := func(format string, more ...any) {
			t.wrong("%s: %.300q: %s\n%.3000q", in.name, args, fmt.Sprintf(format, more...), list)
		}
		switch {
		case late:
			wrong("it waits for ever")
		case !slices.Contains([]int{0, 1, 3, 4, 5, 6, 64}, e.code):
			wrong("it ended with %d: %.500s", e.code, e.stderr)
		}
		if bad := obeyed(e.stderr, colours); bad != "" {
			wrong("a terminal obeys %s", bad)
		}
		data := slices.Contains(args, "-json") || slices.Contains(args, "-sarif")
		if bad := obeyed(e.stdout, colours); bad != "" && !data {
			wrong("a terminal obeys %s", bad)
		}
		if bad := malformed(args, e.stdout); bad != "" {
			wrong("%s", bad)
		}
		if in.name == "prompts and texts" && e.code == 0 && slices.Equal(args, []string{"output", "-json"}) {
			if bad := untrue(e.stdout, list); bad != "" {
				wrong("%s", bad)
			}
		}
	}
	after, err := snapshot(dir)
	if err != nil {
		return err
	}
	for name, was := range after {
		inside := within(root, name) && !within(filepath.Join(root, ".git"), name)
		if inside {
			t.count("files made", 1)
		} else if before[name] != was {
			t.wrong("%s: it wrote %q: %q", in.name, name, list)
		}
	}
	for name := range before {
		if _, there := after[name]; !there && !within(root, name) {
			t.wrong("%s: it removed %q: %q", in.name, name, list)
		}
	}
	return os.RemoveAll(dir)
}

// Our colours are the only sequences that begin with an escape.
var ours = regexp.MustCompile("\x1b\\[(?:0|1|2|3[0-9])m")

// obeyed is the first thing in an output that a terminal does not just show.
func obeyed(s string, colours bool) string {
	if colours {
		s = ours.ReplaceAllString(s, "")
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		joiner := r == '\u200c' || r == '\u200d' // emoji and Indic scripts need them
		switch {
		case r == utf8.RuneError && n == 1, unicode.IsControl(r) && r != '\n' && r != '\t', r == '\u2028', r == '\u2029', unicode.Is(unicode.Cf, r) && !joiner:
			return fmt.Sprintf("%q in %q", s[i:i+n], s[max(0, i-60):min(len(s), i+60)])
		}
		i += n
	}
	return ""
}

var (
	dotLine     = regexp.MustCompile(`^  "(?:[^"\\]|\\.)*"(?: -> "(?:[^"\\]|\\.)*")?;$`)
	mermaidLine = regexp.MustCompile(`^  (?:n\d+\["[^"<>&\x60]*"\]|n\d+ --> n\d+)$`)
)

// malformed tells what is wrong with an output as what it claims to be.
func malformed(args []string, out string) string {
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	switch {
	case out == "":
	case args[0] == "apply" && slices.Contains(args, "-json"):
		for _, l := range lines {
			if !json.Valid([]byte(l)) {
				return fmt.Sprintf("no line of JSON: %.300q", l)
			}
		}
	case slices.Contains(args, "-json") || slices.Contains(args, "-sarif"):
		if !json.Valid([]byte(out)) {
			return fmt.Sprintf("no JSON: %.300q", out)
		}
	case slices.Contains(args, "-mermaid"):
		for _, l := range lines[1:] {
			if !mermaidLine.MatchString(l) {
				return fmt.Sprintf("no line of Mermaid: %q", l)
			}
		}
	case args[0] == "graph" && len(lines) > 3:
		for _, l := range lines[2 : len(lines)-1] {
			if !dotLine.MatchString(l) {
				return fmt.Sprintf("no line of DOT: %q", l)
			}
		}
	}
	return ""
}

// untrue tells which value is not what was written.
func untrue(out string, list []string) string {
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		return err.Error()
	}
	for i, s := range list {
		// HCL takes values in their composed form.
		if want := norm.NFC.String(strings.ToValidUTF8(s, "?")); got[fmt.Sprintf("o%d", i)] != want {
			return fmt.Sprintf("the value %.200q became %.200q", want, fmt.Sprint(got[fmt.Sprintf("o%d", i)]))
		}
	}
	return ""
}
