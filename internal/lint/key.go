package lint

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
)

// knownKeys are the kinds of keys that can be told by how they begin.
var knownKeys = []struct {
	kind, begins string // begins: what each has; of GitHub's not gh, which many words have
	whole        func() *regexp.Regexp
}{
	{"xAI", "xai-", lazily(`\bxai-[A-Za-z0-9]{20,}`)},
	{"OpenAI", "sk-", lazily(`\bsk-(?:proj-|svcacct-|ant-)?[A-Za-z0-9_-]{20,}`)},
	{"Google", "AIza", lazily(`\bAIza[0-9A-Za-z_-]{35}`)},
	{"GitHub", "_", lazily(`\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})`)},
	{"AWS", "AKIA", lazily(`\bAKIA[0-9A-Z]{16}\b`)},
	{"Slack", "xox", lazily(`\bxox[baprs]-[A-Za-z0-9-]{10,}`)},
	{"Hugging Face", "hf_", lazily(`\bhf_[A-Za-z0-9]{30,}`)},
	{"Replicate", "r8_", lazily(`\br8_[A-Za-z0-9]{30,}`)},
	{"Stripe", "_live_", lazily(`\b[sr]k_live_[A-Za-z0-9]{20,}`)},
	{"private", "-----BEGIN", lazily(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
}

// randomText is a quoted text that could be a key of another kind.
var randomText = lazily(`"([A-Za-z0-9+/_=-]{32,200})"`)

const maxLintFile = 64 << 20

// keys looks through the files as they are.
func keys(r *run) {
	for _, file := range r.Project.Files() {
		b, err := r.Source.Read(file, maxLintFile)
		if err != nil {
			continue
		}
		for _, k := range knownKeys {
			if !bytes.Contains(b, []byte(k.begins)) {
				continue
			}
			for _, at := range k.whole().FindAllIndex(b, -1) {
				r.tellKey(file, b, at, fmt.Sprintf("a key of the kind %s stands in the file", k.kind))
			}
		}
		for _, at := range randomText().FindAllSubmatchIndex(b, -1) {
			if text := string(b[at[2]:at[3]]); random(text) && kindOfKey(text) == "" {
				r.tellKey(file, b, at[2:4], "a text that looks random stands in the file, and may be a key")
				r.milder()
			}
		}
	}
}

// tellKey tells of a key by its place alone, and has its line hidden.
func (r *run) tellKey(file string, b []byte, at []int, text string) {
	line := bytes.Count(b[:at[0]], []byte("\n")) + 1
	column := len([]rune(string(b[bytes.LastIndexByte(b[:at[0]], '\n')+1:at[0]]))) + 1
	r.Project.HideLine(file, line)
	r.add(Found{Subject: string(b[at[0]:at[1]]), Finding: diag.Finding{Text: file + ": " + text, Hint: "take it out and revoke it: keys come from XAI_API_KEY, XAI_API_KEY_FILE or credential_command",
		Range: &diag.Range{File: file, Start: diag.Pos{Line: line, Column: column, Byte: at[0]}, End: diag.Pos{Line: line, Column: column + at[1] - at[0], Byte: at[1]}}}}, config.Spot{})
}

func kindOfKey(text string) string {
	for _, k := range knownKeys {
		if strings.Contains(text, k.begins) && k.whole().MatchString(text) {
			return k.kind
		}
	}
	return ""
}

// keysInPrompts finds keys that came from elsewhere: a file, a variable.
func keysInPrompts(r *run, s *subject) {
	if kind := kindOfKey(s.prompt); kind != "" && !strings.HasPrefix(s.prompt, "-----") {
		r.add(Found{Subject: kind, field: "prompt", Finding: diag.Finding{Address: string(s.Address), Hint: "take it out and revoke it",
			Text: fmt.Sprintf("%s: the prompt holds a key of the kind %s, and would send it to the provider", s.Address, kind)}}, config.Spot{Address: s.Address, Field: "prompt"})
	}
}

// random reports whether a text has small and large letters and digits, as many
// different ones as chance would give it, and is no hash, path or picture.
func random(text string) bool {
	var small, large, digit, changes int
	counts := map[byte]int{}
	kind := 0
	for i := range len(text) {
		c := text[i]
		counts[c]++
		now := 0
		switch {
		case c >= 'a' && c <= 'z':
			small++
			now = 1
		case c >= 'A' && c <= 'Z':
			large++
			now = 2
		case c >= '0' && c <= '9':
			digit++
			now = 3
		}
		if now != kind {
			changes++
		}
		kind = now
	}
	entropy := 0.0
	for _, n := range counts {
		p := float64(n) / float64(len(text))
		entropy -= p * math.Log2(p)
	}
	return small > 3 && large > 3 && digit > 2 && changes*3 > len(text) && entropy > 4.2 && strings.Count(text, "/") < 3
}
