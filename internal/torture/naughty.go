package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// blns is the Big List of Naughty Strings, see the LICENSE beside it.
//
//go:embed testdata/blns/blns.json
var blns []byte

// naughty is all strings that no sink may mind, made once.
var naughty = sync.OnceValue(func() []string {
	var list []string
	if err := json.Unmarshal(blns, &list); err != nil {
		panic(err)
	}
	return append(append(append(list, traversals()...), escapes()...), payloads()...)
})

// traversals are paths that lead out, or mean another file on some system.
func traversals() []string {
	var list []string
	targets := []string{"etc/passwd", "made.png", ".ssh/authorized_keys", ".git/config", ".git/hooks/post-checkout", "windows/win.ini"}
	ups := []string{
		"../", `..\`, "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "%252e%252e%252f", "..%c0%af", "%c0%ae%c0%ae/", "..%ef%bc%8f",
		"\uff0e\uff0e/", "..\u2215", "..\u2044", "..\uff0f", "\u2025/", "....//", `....\/`, "..;/", ".. /", "../ ", "..\x00/", "..\u200b/", "./../", "a/../../", "..//", "\u202e../",
		".\u0307./", "%uff0e%uff0e%u2215", "~/", "~root/",
	}
	for _, up := range ups {
		for _, depth := range []int{1, 3, 12} {
			for _, to := range targets {
				list = append(list, strings.Repeat(up, depth)+to)
			}
		}
	}
	for _, root := range []string{"/", "//", "///", `\`, `\\`, `\\?\C:\`, `\\.\`, `\\localhost\c$\`, "//server/share/", "C:/", "C:", `c:\`, "file:///", "file://localhost/", "http://127.0.0.1/", "data:image/png;base64,", "/proc/self/root/", "/dev/fd/3/", "OUT/", "$HOME/", "${HOME}/", "%SystemRoot%/", "@/", "-o/"} {
		for _, to := range targets[:3] {
			list = append(list, root+to)
		}
	}
	devices := []string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}
	for i := range 10 {
		devices = append(devices, fmt.Sprintf("COM%d", i), fmt.Sprintf("LPT%d", i))
	}
	devices = append(devices, "COM\u00b9", "COM\u00b2", "COM\u00b3", "LPT\u00b9", "LPT\u00b2", "LPT\u00b3")
	for _, d := range devices {
		list = append(list, d, strings.ToLower(d)+".png", d+".tar.png", "a/"+d+"/b.png", d+" .png", d+":x.png")
	}
	for _, own := range []string{".git", ".GIT", ".Git", ".git ", ".git.", ".g\u200cit", ".g\u0131t", "git~1", "GIT~1", ".git::$INDEX_ALLOCATION", ".imgbuild", ".IMGBUILD", ".\u0131mgbuild", "IMGBUI~1", ".git\u2028"} {
		list = append(list, own+"/made.png", own+"/hooks/made.png", "a/"+own+"/made.png")
	}
	list = append(list, []string{
		"a.png:b.png", "a.png::$DATA", "a.png.", "a.png ", "a.png. . .", " a.png", ".png", "..png", "...png", "a..png", "a//b.png", "a/./b.png", "./a.png", "a/", "a/.", "a/..", ".", "..", "", " ", "\t", "\n.png",
		"-rf.png", "--help.png", "a*.png", "a?.png", "a|b.png", "a<b>.png", "a\"b.png", "a'b.png", "a`b`.png", "$(a).png", "a;b.png", "a&b.png", "#a.png", "a%00.png", "a\x00.png", "a\r.png", "a\x7f.png", "a\u0085.png", "a\u202egnp.png",
		"a\u2066b\u2069.png", "\ufeffa.png", "a\u200b.png", "a\u00ad.png", "a\u034f.png", "a\u115f.png", "a\u3164.png", "a\ufe0f.png", "e\u0301.png", "\u00e9.png", "\u212b.png", "\u00c5.png", "\ufb01.png", "fi.png", "\u017f.png", "S.png", "ss.png", "\u00df.png", "\u1e9e.png", "I.png", "\u0130.png", "\u0131.png", "i\u0307.png",
		"\U000e0041.png", "\ud7ff.png", "\ufffd.png", "\uffff.png", "\U0010ffff.png", strings.Repeat("a", 251) + ".png", strings.Repeat("a", 252) + ".png", strings.Repeat("\u00e9", 126) + ".png", strings.Repeat("\u00e9", 125) + ".png", strings.Repeat("a/", 505) + "a.png", strings.Repeat("a/", 600) + "a.png",
		"imgbuild.lock.json", "IMGBUILD.LOCK.JSON", "site.img.hcl", "Site.IMG.hcl", "x.img.json", "x.imgvars", "x.imgtest.hcl", ".gitignore", ".gitattributes", ".imgbuild-tmp-0123456789abcdef.png", ".imgbuild-tmp-a",
	}...)
	return list
}

// escapes are what terminals obey.
func escapes() []string {
	list := []string{
		"\x07", "\b\b\b\bsafe", "\rApply: 0 done.", "\x0b", "\x0c", "\x0e\x0f", "\x1b", "\x7f", "\x00", "\x1bc", "\x1b7\x1b8", "\x1b#8", "\x1b(0", "\x1b%G", "\x1bN", "\x1b>", "\x1b=",
		"\x9b31m", "\u009b31m", "\u009d0;owned\u009c", "\u0090q\u009c", "\u0085next", "\u2028next", "\u2029next",
		"\u202eevil\u202c", "\u2066\u2067\u2068\u2069", "\u061c", "\u200e\u200f", "\u200b\u2060\ufeff", "\U000e0001\U000e0061", "\ufff9a\ufffab\ufffb",
		"a" + strings.Repeat("\u0301", 500), "\u0e33\u0e33", "\xff\xfe", "\xc0\xaf", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80", "\xf4\x90\x80\x80", "line one\nError: forged\n  Hint: rm -rf /", "\r\n\r\n", "\t\t\t",
	}
	for _, csi := range []string{"2J", "H", "1;31m", "8m", "0m", "?1049h", "?25l", "6n", "c", ">c", "=c", "5n", "21t", "20t", "3J", "1000A", "1000D", "K", "?1000h", "?2004h", "4i", "!p", "200~", "1;1r", "s", "u", "58;5;1m", ">4;2m", "0q", "?5W", "1$w"} {
		list = append(list, "\x1b["+csi, "a\x1b["+csi+"b", "\u009b"+csi)
	}
	for _, osc := range []string{"0;owned", "2;owned", "8;;http://127.0.0.1/", "8;;file:///etc/passwd", "52;c;cm0gLXJmIC8=", "52;c;?", "4;1;?", "10;?", "11;?", "7;file:///", "9;notice", "777;notify;a;b", "1337;File=inline=1:AAAA", "1337;CopyToClipboard=", "50;?", "104", "133;A", "633;E;rm"} {
		for _, end := range []string{"\x07", "\x1b\\", "\u009c", ""} {
			list = append(list, "\x1b]"+osc+end)
		}
	}
	for _, begin := range []string{"\x1bP", "\x1bX", "\x1b^", "\x1b_", "\u0090", "\u0098", "\u009e", "\u009f"} {
		for _, body := range []string{"$q\"p", "+q544e", "1;1|17/rm", "q\"1;1;1;1#0;2;0;0;0", "Ga=q,i=1;AAAA", "tmux;\x1b\x1b]52;c;QQ==\x07"} {
			list = append(list, begin+body+"\x1b\\", begin+body)
		}
	}
	return list
}

// payloads are what pages, pictures of text, diagrams, comments on pull
// requests and shells obey.
func payloads() []string {
	list := []string{
		"<!--", "-->", "]]>", "<![CDATA[", "<?php echo 1 ?>", "<?xml-stylesheet href=\"javascript:1\"?>", "{{7*7}}", "{{constructor.constructor('1')()}}", "${7*7}", "%{if true}x%{endif}", "${file(\"/etc/passwd\")}", "#{7*7}", "<%= 7*7 %>", "${{ secrets.XAI_API_KEY }}", "$(id)", "`id`", "; id", "| id", "&& id", "@everyone", "#1", "GH-1", "[x](javascript:alert(1))", "![x](http://127.0.0.1/a.png)", "| a | b |", "```\n```", "\n# Head\n", "\n---\n", "::set-output name=a::b", "::error::x", "::add-mask::x", "::stop-commands::x", "%0A::warning::x",
		"\"]; a -> b; \"", "\" -> \"", "\\", "\\\"", "\\N", "\"\n}\ndigraph x {", "</svg>", "%%{init: {}}%%", "\"]\n  a --> b", "click a href \"javascript:alert(1)\"", "#quot;", "#35;", "end", "subgraph", "\"", "'", "=cmd|' /C calc'!A0", "+1+1", "@SUM(1)", "<<<<<<< HEAD", "=======", ">>>>>>> theirs", "{\"a\":1}", "null", "true", "1e999", "-0", "NaN",
		"' OR 1=1 --", "../../" + "a", "%s%s%s%n", "%d", "%!v(MISSING)", "{0}", "\\u0000", "\\x1b[31m", "\\n",
	}
	for _, tag := range []string{"script", "SCRIPT", "svg", "img", "iframe", "body", "math", "object", "embed", "link", "meta", "base", "form", "style", "video", "details", "template", "foreignObject", "animate", "use"} {
		for _, attr := range []string{"onload=alert(1)", "src=x onerror=alert(1)", "href=javascript:alert(1)", "xlink:href=\"data:text/html,<script>alert(1)</script>\"", "style=\"background:url(http://127.0.0.1/)\"", "ontoggle=alert(1) open"} {
			list = append(list, "<"+tag+" "+attr+">", "\"><"+tag+"/"+attr+">alert(1)</"+tag+">")
		}
	}
	return list
}
