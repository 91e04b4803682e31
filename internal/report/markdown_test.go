package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// page is Markdown as a forge shows it: GitHub's flavour, with HTML let through.
func page(t *testing.T, markdown string) *nethtml.Node {
	t.Helper()
	var b bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe())).Convert([]byte(markdown), &b); err != nil {
		t.Fatal(err)
	}
	n, err := nethtml.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// hostileTexts are what must stay text.
var hostileTexts = []string{
	"<img src=x onerror=alert(1)>", "</code></details><script>alert(1)</script>", "`` ` ``` ````", "`", " ` ", "*bold* _it_ ~~gone~~ [a](http://evil.example) ![b](x)",
	"www.evil.example https://evil.example me@evil.example @torvalds #1 GH-1", "\n# head\n\n- [ ] task\n| a | b |\n|---|---|\n```", "<!-- imgbuild diff -->", "--> <b>", "\u202egnp.exe\u2066",
	"\x1b]0;title\a\x1b[31m", "&lt;b&gt; &#60;", "$`x`$ $$y$$ \\(z\\)", "<details open><summary>", "\\", "a|b", "::warning::x", "{commit}", "\"><script>",
}

func TestMarkdownIsInert(t *testing.T) {
	t.Parallel()
	for _, evil := range hostileTexts {
		change := func(im *spec.Image) {
			im.Alt, im.Path, im.Wanted.Model, im.Tags = evil, "img/"+evil+".png", evil, []string{evil}
		}
		e, f := bought("a", "img/"+evil+".png", "1"), bought("a", "img/"+evil+".png", "2")
		e.Outputs[0].Recipe, f.Outputs[0].Recipe = "title="+evil, "title=x"+evil
		for _, l := range []*lock.Entry{&e, &f} {
			l.SetFields([]provider.Field{{Name: "model", Value: evil}, {Name: evil, Value: fmt.Sprint(evil, len(l.Candidates[0].Content))}})
		}
		base := State{Name: evil, Commit: "abc", Images: []spec.Image{shown("a", "x "+evil)}, Lock: &lock.Lock{Entries: []lock.Entry{e}}}
		head := State{Images: []spec.Image{shown("a", evil+" y", change)}, Lock: &lock.Lock{Entries: []lock.Entry{f}}}
		steps := []plan.Step{
			{Address: "image.a", Verb: plan.Refused, Why: []plan.Reason{{Cause: plan.CauseBadReply, New: evil}}},
			{Address: spec.Address("image." + evil), Verb: plan.Delete, Outputs: []plan.Output{{Path: evil, Action: plan.DeleteFile, Expect: digest.OfContent(nil)}}},
		}
		p := &plan.Plan{Steps: steps, Manifests: []plan.Manifest{{Path: evil}}}
		broken := base
		broken.Images = nil
		for name, m := range map[string]*Model{"diff": Compare(base, head, p, nil), "plan": Planned(p, head), "locks": Compare(broken, State{Lock: head.Lock}, p, nil)} {
			var b bytes.Buffer
			if err := Markdown(&b, m, MarkdownOptions{Picture: "https://forge.example/{commit}/{path}?raw=true", Head: "def"}); err != nil {
				t.Fatal(err)
			}
			text, depth := 0, 0
			var walk func(n *nethtml.Node)
			walk = func(n *nethtml.Node) {
				switch n.Type {
				case nethtml.ElementNode:
					switch n.Data {
					case "html", "head", "body", "h3", "p", "ul", "li", "details", "summary", "del", "ins", "br":
					case "code":
						depth++
						defer func() { depth-- }()
					case "a", "img":
						for _, a := range n.Attr {
							if (a.Key == "href" || a.Key == "src") && !strings.HasPrefix(a.Val, "https://forge.example/") || strings.HasPrefix(a.Key, "on") {
								t.Errorf("%q, %s: <%s %s=%q>", evil, name, n.Data, a.Key, a.Val)
							}
						}
					default:
						t.Errorf("%q, %s: <%s>", evil, name, n.Data)
					}
				case nethtml.CommentNode:
					if n.Data != " imgbuild "+m.Kind+" " {
						t.Errorf("%q, %s: a comment %q", evil, name, n.Data)
					}
				case nethtml.TextNode:
					if strings.ContainsAny(n.Data, "\x1b\a\u202e\u2066") {
						t.Errorf("%q, %s: %q", evil, name, n.Data)
					}
					if depth == 0 && strings.ContainsAny(n.Data, "@#$<>*`[]|\\{}") {
						t.Errorf("%q, %s: outside of code %q", evil, name, n.Data)
					}
					if depth > 0 {
						text += len(n.Data)
					}
				}
				for c := n.FirstChild; c != nil; c = c.NextSibling {
					walk(c)
				}
			}
			walk(page(t, b.String()))
			if text < len(evil) {
				t.Errorf("%q, %s: it is not shown: %s", evil, name, b.String())
			}
			if n := strings.Count(b.String(), "<details"); n != strings.Count(b.String(), "\n</details>") && !strings.Contains(evil, "details") {
				t.Errorf("%q, %s: %d folds are not closed", evil, name, n)
			}
		}
	}
}

// What does not fit is counted, and the summary and the deletions stay.
func TestMarkdownIsCut(t *testing.T) {
	t.Parallel()
	const n = 5000
	base, head := State{Name: "main", Commit: "abc", Images: []spec.Image{}, Lock: &lock.Lock{}}, State{Images: []spec.Image{}, Lock: &lock.Lock{}}
	for i := range n {
		name := fmt.Sprintf("i%04d", i)
		base.Images = append(base.Images, shown(name, "a long prompt of a house by the sea"))
		base.Lock.Entries = append(base.Lock.Entries, bought(name, name+".png", name))
		if i%10 > 0 {
			head.Images = append(head.Images, shown(name, "a long prompt of a boat on the sea"))
			head.Lock.Entries = append(head.Lock.Entries, bought(name, name+".png", "x"+name))
		}
	}
	m := Compare(base, head, &plan.Plan{}, nil)
	for _, most := range []int{0, 900 << 10, 5000} {
		var b bytes.Buffer
		if err := Markdown(&b, m, MarkdownOptions{Most: most, Picture: "https://forge.example/{commit}/{path}", Head: "def"}); err != nil {
			t.Fatal(err)
		}
		limit := most
		if limit == 0 {
			limit = 60_000
		}
		text := b.String()
		if len(text) > limit || len(text) < limit*9/10-2000 {
			t.Errorf("%d bytes of %d", len(text), limit)
		}
		shown := strings.Count(text, "\n- `image.")
		for _, want := range []string{"<!-- imgbuild diff -->\n", "Since `main` (abc): 4500 changed, 500 removed, 500 files deleted.", "Spent: `$90.00`", "Deleted: `i0000.png`, ", " and 480 more",
			fmt.Sprintf("%d more images are left out here; all of them: `imgbuild diff`", n-shown)} {
			if !strings.Contains(text, want) {
				t.Errorf("at most %d bytes: no %q in %.700s", limit, want, text)
			}
		}
		if strings.Count(text, "<details") != strings.Count(text, "</details>") {
			t.Errorf("at most %d bytes: a fold is not closed", limit)
		}
	}
}
