package cli

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/imgbuild/imgbuild/internal/config"
)

//go:generate go test -run TestManual -update

// The manual is made here: docs/reference.md and imgbuild help language from
// manual/language.md, where {{block image.edit}} and the like stand for tables of
// what decodes the configuration, and docs/cli.md from the verbs. What a person
// wrote and what a table says are so in one place each.
//
//go:embed manual/language.md
var languageText string

var placeholder = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^\{\{(\w+)(?: ([\w.]+))?\}\}$`) })

// languageManual is docs/reference.md.
func languageManual() string {
	placed := map[string]bool{}
	for _, m := range placeholder().FindAllStringSubmatch(languageText, -1) {
		placed[m[2]] = true
	}
	return placeholder().ReplaceAllStringFunc(languageText, func(s string) string {
		m := placeholder().FindStringSubmatch(s)
		switch m[1] {
		case "functions":
			return strings.TrimSuffix(functionTables(), "\n")
		case "tests":
			return strings.TrimSuffix(testTables(), "\n")
		case "codes":
			return strings.TrimSuffix(codeTable(), "\n")
		}
		b, err := blockAt(m[2])
		if err != nil {
			panic(err) // the text names a block that there is not
		}
		return strings.TrimSuffix(blockTables(b, m[2], placed), "\n")
	})
}

// blockTables is what a block is and takes, and so for the blocks within it
// that have no place of their own in the text.
func blockTables(b *config.Block, path string, placed map[string]bool) string {
	var t strings.Builder
	many := ""
	switch {
	case b.Many && b.Label == "":
		many = " There may be several."
	case !b.Many:
		many = " At most one."
	}
	fmt.Fprintf(&t, "`%s { }` – %s.%s\n\n", head(b), b.Text, many)
	if len(b.Attributes)+len(b.Blocks) > 0 {
		t.WriteString("| attribute | type | default | meaning |\n|---|---|---|---|\n")
	}
	for i := range b.Attributes {
		a := &b.Attributes[i]
		def := ""
		switch {
		case a.Required:
			def = "required"
		case a.Default != "":
			def = "`" + a.Default + "`"
		}
		fmt.Fprintf(&t, "| `%s` | %s | %s | %s |\n", a.Name, takes(a), def, a.Text)
	}
	for i := range b.Blocks {
		fmt.Fprintf(&t, "| `%s { }` | block | | %s |\n", head(&b.Blocks[i]), b.Blocks[i].Text)
	}
	if b.Open != "" {
		fmt.Fprintf(&t, "%s%s.\n", map[bool]string{true: "\n"}[len(b.Attributes) > 0], upperFirst(b.Open))
	}
	for i := range b.Blocks {
		if inner := path + "." + b.Blocks[i].Name; !placed[inner] {
			t.WriteString("\n" + blockTables(&b.Blocks[i], inner, placed))
		}
	}
	return t.String()
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func functionTables() string {
	var b, differences strings.Builder
	list := config.Functions()
	for _, group := range config.Groups {
		fmt.Fprintf(&b, "| %s | for example | |\n|---|---|---|\n", group)
		for _, f := range list {
			if f.Group != group {
				continue
			}
			fmt.Fprintf(&b, "| `%s` | `%s` → `%s` | %s |\n", f.Signature(), f.Example.Call, shortened(f.Example.Result), f.Text)
			if f.Differs != "" {
				fmt.Fprintf(&differences, "| `%s` | %s |\n", f.Name, f.Differs)
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("| other than in Terraform | |\n|---|---|\n" + differences.String())
	b.WriteString("\n| absent on purpose | why | instead |\n|---|---|---|\n")
	for _, a := range config.AbsentFunctions {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.Name, a.Why, a.Instead)
	}
	return b.String()
}

// testTables are what assertions of tests may ask.
func testTables() string {
	image, plan, step := config.NamesOfTests()
	var b strings.Builder
	for _, table := range []struct {
		head string
		list []config.Attribute
	}{{"of an image, in tests", image}, {"`plan.…`", plan}, {"`plan.steps[\"ADDRESS\"].…`", step}} {
		fmt.Fprintf(&b, "| %s | | |\n|---|---|---|\n", table.head)
		for _, a := range table.list {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.Name, a.Type, a.Text)
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// shortened cuts hashes.
func shortened(s string) string {
	if r := []rune(s); len(r) > 60 && !strings.Contains(s, " ") {
		return string(r[:40]) + "…"
	}
	return s
}

func codeTable() string {
	var b strings.Builder
	b.WriteString("| code | meaning |\n|---|---|\n")
	for _, code := range codes() {
		fmt.Fprintf(&b, "| %s | %s |\n", code, meaning(code))
	}
	return b.String()
}

// cliManual is docs/cli.md.
func cliManual() string {
	var b strings.Builder
	b.WriteString(`# The command line

Each verb with its flags, exit codes and examples; ` + "`imgbuild help VERB`" + ` says the same. [guide.md](guide.md) begins at the
beginning, [reference.md](reference.md) has the language, [json.md](json.md) what ` + "`-json`" + ` writes.

Flags are written with one dash or two, before or behind arguments: ` + "`-json`, `--json`, `-out=FILE`, `-out FILE`" + `. ` + "`-C DIR`" + ` works in
another folder with every verb, also before the verb. Results go to standard output, what is said about them to standard error.
` + "`NO_COLOR`" + ` turns colours off.

| exit code | |
|---|---|
| 0 | done, or nothing to do |
| 1 | error |
`)
	list := make([]int, 0, len(codeTexts))
	for c := range codeTexts {
		list = append(list, c)
	}
	slices.Sort(list)
	for _, c := range list {
		fmt.Fprintf(&b, "| %d | %s |\n", c, codeTexts[c])
	}
	b.WriteString("| 64 | usage |\n| 130 | interrupted |\n\nEach verb may end with 0, 1, 64 and 130.\n\n")
	for _, v := range verbs() {
		fmt.Fprintf(&b, "## `imgbuild %s`\n\n%s.\n\n```sh\n%s```\n", v.name, upperFirst(v.short), strings.Join(v.examples(), "\n")+"\n")
		if text := v.prose(); text != "" {
			b.WriteString("\n" + text + "\n")
		}
		if len(v.flags) > 0 {
			b.WriteString("\n| flag | |\n|---|---|\n")
			for _, f := range v.flags {
				name, usage := flagText(f)
				fmt.Fprintf(&b, "| `%s` | %s |\n", name, usage)
			}
		}
		if len(v.codes) > 0 {
			texts := make([]string, len(v.codes))
			for i, c := range v.codes {
				texts[i] = fmt.Sprintf("%d %s", c, codeTexts[c])
			}
			fmt.Fprintf(&b, "\nExit codes: %s.\n", strings.Join(texts, ", "))
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// examples are the commands at the beginning of the help of a verb.
func (v verb) examples() []string {
	commands, _, _ := strings.Cut(strings.Trim(v.help, "\n"), "\n\n")
	lines := strings.Split(commands, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines
}

// prose is the rest of the help, in Markdown: what is indented is code.
func (v verb) prose() string {
	_, text, _ := strings.Cut(strings.Trim(v.help, "\n"), "\n\n")
	return indented().ReplaceAllStringFunc(text, func(s string) string {
		return "```\n" + strings.ReplaceAll(s[len("  "):], "\n  ", "\n") + "\n```"
	})
}

var indented = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^  .*(?:\n  .*|\n\n  .*)*`) })

// plain turns our own Markdown into text for a terminal: tables become
// paragraphs, code is indented.
func plain(markdown string) string {
	var b strings.Builder
	code, table := false, 0
	var paragraph []string
	flush := func(indent string) {
		if len(paragraph) > 0 {
			b.WriteString(wrap(strings.Join(paragraph, " "), indent))
			paragraph = nil
		}
	}
	for line := range strings.Lines(markdown) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			flush("")
			code = !code
		case code:
			b.WriteString(strings.TrimRight("    "+line, " ") + "\n")
		case strings.HasPrefix(line, "|"):
			flush("")
			if table++; table == 2 { // the line below the head
				continue
			}
			cells := strings.Split(strings.Trim(line, "| "), " | ")
			for i := range cells {
				cells[i] = unmark(strings.Trim(cells[i], "| "))
			}
			if table == 1 {
				if strings.Join(cells, "") != "attributetypedefaultmeaning" {
					b.WriteString(strings.ToUpper(strings.TrimRight(strings.Join(cells, " – "), " –")) + "\n")
				}
				continue
			}
			row := cells[0]
			if n := len(cells); n > 2 {
				if between := slices.DeleteFunc(slices.Clone(cells[1:n-1]), func(c string) bool { return c == "" }); len(between) > 0 {
					if row += " (" + strings.Join(between, "; ") + ")"; strings.Contains(between[0], " → ") {
						row = cells[0] + "   " + between[0]
					}
				}
			}
			b.WriteString("  " + row + "\n")
			if n := len(cells); n > 1 && cells[n-1] != "" {
				b.WriteString(wrap(cells[n-1], "      "))
			}
			continue
		case strings.HasPrefix(line, "#"):
			flush("")
			b.WriteString(strings.ToUpper(unmark(strings.TrimLeft(line, "# "))) + "\n")
		case line == "":
			flush("")
			b.WriteString("\n")
		default:
			paragraph = append(paragraph, unmark(line))
		}
		table = 0
	}
	flush("")
	return b.String()
}

var link = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\[([^\]]+)\]\(([\w.]+)\)`) })

// within matches links to a heading of the same page, which are words here.
var within = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\[([^\]]+)\]\(#[\w-]+\)`) })

// unmark drops the marks of Markdown from a line.
func unmark(s string) string {
	s = within().ReplaceAllString(link().ReplaceAllString(s, "docs/$1"), "$1")
	return strings.NewReplacer("`", "", "**", "").Replace(s)
}
