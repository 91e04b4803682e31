package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/imgbuild/imgbuild/internal/diag"
)

// Each of these killed or stopped a process that gave it to the parser, or is
// one more than what is allowed.
func TestGuardRefuses(t *testing.T) {
	t.Parallel()
	r := strings.Repeat
	for name, c := range map[string]struct{ src, code string }{
		"parentheses":           {"a = " + r("(", 100_000), codeTooDeep},
		"closed parentheses":    {"a = " + r("(", 300) + "1" + r(")", 300), codeTooDeep},
		"lists":                 {"a = " + r("[", 100_000), codeTooDeep},
		"objects":               {"a = " + r("{a=", 100_000), codeTooDeep},
		"calls":                 {"a = " + r("f(", 100_000), codeTooDeep},
		"for":                   {"a = " + r("[for x in ", 100_000), codeTooDeep},
		"templates":             {"a = " + r(`"${`, 100_000), codeTooDeep},
		"templates in heredocs": {"a = " + r("<<E\n${", 100_000), codeTooDeep},
		"blocks":                {r("a {\n", 100_000), codeTooDeep},
		"in an interpolation":   {`a = "%${` + r("(", 300), codeTooDeep},
		"after an escape":       {`a = "$${" b = "\\" c = ` + r("(", 300), codeTooDeep},
		"after a comment":       {"/* ( */ # (\n// \"\na = " + r("[", 300), codeTooDeep},
		"open comment":          {"/*" + r("(", 300), codeTooDeep},
		"not":                   {"a = " + r("!", 1_000_000), codeTooLong},
		"minus":                 {"a = " + r("-", 1_000_000), codeTooLong},
		"plus":                  {"a = 1" + r("+1", 1_000_000), codeTooLong},
		"equal":                 {"a = 1" + r("==1", 100_000), codeTooLong},
		"conditionals":          {"a = " + r("b?c:", 1_000_000), codeTooLong},
		"plus over lines":       {"a = (1" + r("\n+1", 100_000), codeTooLong},
		"plus in a for":         {"a = {for x in y : 1 => 1" + r("\n+1", 100_000), codeTooLong},
		"plus around brackets":  {"a = 1" + r("+[1]", 100_000), codeTooLong},
		"indexes":               {"a = b" + r("[0]", 100_000), codeTooLong},
		"splats":                {"a = b" + r(".*.c", 100_000), codeTooLong},
		"directives":            {`a = "` + r("%{if x}", 1_000_000), codeTooLong},
		"heredoc lines":         {"a = <<E\n" + r("x\n", 20_000) + "E\n", codeHeredoc},
		"many heredocs":         {r("a = <<E\n"+r("x\n", 1_990)+"E\n", 40), codeTooBig},
		"heredoc bytes":         {"a = <<E\n" + r("x", 300_000) + "\nE\n", codeHeredoc},
		"heredoc marker":        {"a = <<É\n\nÉ\n", codeMarker},
		"size":                  {r(" ", maxFile+1), codeTooBig},
		"NUL":                   {"a = \"\x00\"", codeNUL},
		"UTF-8":                 {"a = \"\xc3\"", codeUTF8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, l := Load(files{"a.img.hcl": c.src}, Options{})
			if len(l) != 1 || l[0].Code != c.code || p == nil {
				t.Errorf("want only %s, got\n%s", c.code, lines(l))
			}
			if _, l := Format("a.img.hcl", []byte(c.src)); len(l) != 1 || l[0].Code != c.code {
				t.Errorf("Format: want only %s, got\n%s", c.code, lines(l))
			}
		})
	}
}

// What people write is far from the limits.
func TestGuardAccepts(t *testing.T) {
	t.Parallel()
	r := strings.Repeat
	for name, src := range map[string]string{
		"smileys":         "a = \"" + r(":( [ { ", 1000) + "\"\n",
		"hyphens":         "a = \"" + r("a-b! ", 100_000) + "\"\n",
		"negative map":    "a = {\n" + r("  x = -1\n", 20_000) + "}\n",
		"negative list":   "a = [" + r("-1, ", 20_000) + "]\n",
		"many blocks":     r("a {\n  b = -1 + 2\n}\n", 15_000),
		"comments":        r("# (((\n// [[[\n/* {{{ */\n", 1000),
		"depth":           "a = " + r("[", 250) + r("]", 250) + "\n",
		"heredoc":         "a = <<-EOT\n" + r("  ((( ${b} $${ \n", 1500) + "  EOT\nb = 1\n",
		"escapes":         `a = "\"\\" b = "$${((" c = "100%%{" d = "$" e = "%" f = "\${1}"` + "\n",
		"identifiers":     "a-b-c = a-b-c\n",
		"byte order mark": "\ufeffa = 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if f := guard("a.img.hcl", []byte(src), false); f != nil {
				t.Error(line(*f))
			}
		})
	}
}

func TestGuardTellsWhere(t *testing.T) {
	t.Parallel()
	f := guard("a.img.hcl", []byte("a = 1\nb = \"ü\" "+strings.Repeat("(", 300)), false)
	if got, want := line(*f), "a.img.hcl:2:266-2:267 IB0105 file a.img.hcl: brackets and templates are nested more than 256 deep | name the inner parts with locals"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// depthOf is how deep the brackets of the tokens of hclsyntax are nested, as
// the parser sees them. What is open in a template sequence or a text when that
// ends it gives up: 100,000 of ${(} nest nothing.
func depthOf(src []byte) (depth int) {
	tokens, _ := hclsyntax.LexConfig(src, "x", hcl.InitialPos)
	var open []hclsyntax.TokenType
	closeTo := func(types ...hclsyntax.TokenType) {
		for i := len(open) - 1; i >= 0; i-- {
			if slices.Contains(types, open[i]) {
				open = open[:i]
				return
			}
		}
		open = open[:max(0, len(open)-1)]
	}
	for _, k := range tokens {
		switch k.Type {
		case hclsyntax.TokenOParen, hclsyntax.TokenOBrack, hclsyntax.TokenOBrace, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			open = append(open, k.Type)
			depth = max(depth, len(open))
		case hclsyntax.TokenCParen, hclsyntax.TokenCBrack, hclsyntax.TokenCBrace:
			open = open[:max(0, len(open)-1)]
		case hclsyntax.TokenTemplateSeqEnd:
			closeTo(hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl)
		case hclsyntax.TokenCQuote:
			closeTo(hclsyntax.TokenOQuote)
		case hclsyntax.TokenCHeredoc:
			closeTo(hclsyntax.TokenOHeredoc)
		}
	}
	return depth
}

// FuzzGuard holds the scan to the scanner of hclsyntax: it must never see less
// depth, or a bomb could hide in what it takes for a string.
func FuzzGuard(f *testing.F) {
	for _, s := range []string{
		`a = "$${x}" b = "%${f("(")}"`, "a = <<E\n$%{if x}\n  E\n[", `"${"${"`, "a=<<-E\r\n x ${<<F\n(\nF\n}\r\nE\r\n{", `"$"{"`, `"\${"`, "\"$\n${(", "a=1~}", "/*/ */ (", "<<É\n(", "<<E\nfoo\nE", "\"a\\\n\"b(", "\xef\xbb\xbf(", `"%%{"(`, "#(\r\n(", "<<1\n(", "<<E-1\n(\nE-1\n[", "{~}(", `"${~x~}("`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		b := []byte(src)
		if f := guard("x", b, false); f != nil {
			return
		}
		g := scanner{src: b, deepest: 1, most: maxTokens}
		g.levels = append(g.stack[:0], level{open: 'F'})
		if strings.HasPrefix(src, "\ufeff") {
			g.at = 3
		}
		g.scan()
		if got, want := g.deepest-1, depthOf(b); got < want {
			t.Errorf("the scan saw a depth of %d and the parser sees %d", got, want)
		}
	})
}

// A template of templatefile is guarded as well.
func TestGuardOfTemplates(t *testing.T) {
	t.Parallel()
	f := files{"a.img.hcl": sketch + "image \"a\" {\n  prompt = templatefile(\"t\", {})\n}\n", "t": "x ${" + strings.Repeat("(", 300)}
	_, l := Load(f, Options{})
	if got, want := lines(l), `a.img.hcl:3:25-3:28 IB0304 image.a: templatefile(): path: file t: brackets and templates are nested more than 256 deep`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Each of these took minutes or all memory when it was evaluated unmetered.
func TestEvaluationIsBounded(t *testing.T) {
	t.Parallel()
	doubling := func(op string) string {
		var b strings.Builder
		b.WriteString("locals {\n  l0 = \"0123456789\"\n  j0 = [0]\n")
		for i := 1; i <= 10; i++ {
			fmt.Fprintf(&b, op, i, i-1)
		}
		b.WriteString("}\n")
		return b.String()
	}
	chain := func(n int) string {
		var b strings.Builder
		b.WriteString("locals {\n")
		for i := range n {
			fmt.Fprintf(&b, "  l%04d = local.l%04d\n", i, i+1)
		}
		fmt.Fprintf(&b, "  l%04d = 1\n}\n", n)
		return b.String()
	}
	ten := func(s string) string { return strings.TrimSuffix(strings.Repeat(s, 10), ", ") }
	local := func(e string) string { return "locals {\n  x = " + e + "\n}\n" }
	big := func(n int) string { return `"` + strings.Repeat("a", n) + `"` }
	for name, c := range map[string]struct{ src, code string }{
		"four loops":             {local("[for a in range(100): [for b in range(100): [for c in range(100): [for d in range(100): d]]]]"), codeBudget},
		"four long loops":        {local("[for a in range(1024): [for b in range(1024): [for c in range(1024): [for d in range(1024): d]]]]"), codeBudget},
		"loops in a template":    {local(`"%{for a in range(1000)}%{for b in range(1000)}%{for c in range(1000)}x%{endfor}%{endfor}%{endfor}"`), codeBudget},
		"hidden by try":          {local("try([for a in range(1000): [for b in range(1000): [for c in range(1000): c]]], 1)"), codeBudget},
		"conditions":             {local("[for a in range(1000): a if length([for b in range(1000): b if length([for c in range(1000): c]) > 0]) > 0]"), codeBudget},
		"splats":                 {local("[for a in range(1000): [for b in range(1000): range(1000)[*]]]"), codeBudget},
		"doubling text":          {doubling("  l%[1]d = \"" + strings.Repeat("${local.l%[2]d}", 10) + "\"\n"), codeBudget},
		"doubling lists":         {doubling("  j%[1]d = [" + ten("local.j%[2]d, ") + "]\n"), codeBudget},
		"doubling objects":       {doubling("  j%[1]d = { for k in range(10) : \"k${k}\" => local.j%[2]d }\n"), codeBudget},
		"one text":               {local(`"` + strings.Repeat("${local.y}", 100) + "\"\n  y = " + big(100_000)), codeBudget},
		"comparing":              {local("[for a in range(1000): local.y == local.y]\n  y = [for a in range(1000): range(20)]"), codeBudget},
		"chain":                  {chain(5000), codeBudget},
		"setproduct":             {local("setproduct(range(10), range(10), range(10), range(10), range(10), range(10), range(10), range(10))"), codeFunction},
		"join":                   {local("join(local.y, range(1000))\n  y = " + big(100_000)), codeFunction},
		"replace":                {local("replace(local.y, \"a\", local.y)\n  y = " + big(100_000)), codeFunction},
		"replace by a pattern":   {local("replace(local.y, \"/(a+)/\", \"" + strings.Repeat("$1", 100) + "\")\n  y = " + big(100_000)), codeFunction},
		"format":                 {local("format(\"" + strings.Repeat("%[1]s", 100) + "\", local.y)\n  y = " + big(100_000)), codeFunction},
		"formatlist":             {local("formatlist(\"" + strings.Repeat("x", 100_000) + "%s\", range(1000))"), codeFunction},
		"indent":                 {local(`indent(1000000000, "a\nb")`), codeFunction},
		"split":                  {local("split(\"\", local.y)\n  y = " + big(600_000)), codeFunction},
		"range":                  {local("range(1000000000)"), codeFunction},
		"yaml":                   {local(`yamldecode("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]")`), codeFunction},
		"yaml brackets":          {local("yamldecode(\"" + strings.Repeat("[", 40_000) + "\")"), codeFunction},
		"yaml dashes":            {local("yamldecode(\"" + strings.Repeat("- ", 4_000) + "\")"), codeFunction},
		"json brackets":          {local("jsondecode(\"" + strings.Repeat("[", 40_000) + strings.Repeat("]", 40_000) + "\")"), codeFunction},
		"decoded elements":       {local("jsondecode(local.y)\n  y = \"[" + strings.Repeat("0,", 101_000) + "0]\""), codeBudget},
		"flatten":                {local("flatten([for a in range(400): range(400)])"), codeBudget},
		"number":                 {local("1e100000000 % 7"), codeBudget},
		"number in a text":       {local(`"1e100000000" + 1`), codeBudget},
		"number from a text":     {local(`tonumber("1e100000000")`), codeBudget},
		"exponent of the parser": {local("1e999999999999"), codeSyntax},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := c.src
			opt := Options{steps: 1 << 17}
			_, l := Load(files{"a.img.hcl": src}, opt)
			// What follows a refused local may be refused again by itself.
			if len(l) == 0 || slices.ContainsFunc(l, func(f diag.Finding) bool { return f.Code != c.code }) {
				t.Errorf("want only %s, got\n%s", c.code, lines(l))
			}
		})
	}
}
