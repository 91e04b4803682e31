// The examples that are sites, built by their generators and opened in Chromium.
// Needs bin/imgbuild and what scripts/setup installs; scripts/sites starts it.
import { test } from "node:test";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { look } from "./check.mjs";
import { built, program, within } from "./example.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));

test("what is wrong with a page is found", async () => {
  const wrong = await look(here + "broken", here + "broken.json");
  for (const text of [
    "404 http://", "not loaded: http://example.invalid/far.png", "gone.png: it does not load", "good.png?late: it is 2x1, and its element says 0x0",
    "good.png?tall: no file of image.good is 2x2", "good.png?wide is 2 pixels wide, and srcset says 3w",
    'its alt is "A bad one", and that of image.good "A good one"', "its alt is null", "its label is trainedAlgorithmicMedia, not algorithmicMedia", "its label is null",
    "the manifest has no image.stranger", "does not say which image it is", "the layout shifts by", "axe: Images must have alternative text", "image.unseen: no page shows it",
    "gone.ico: it does not load", "icon http://", "gone.ico: the manifest has no such file", "twitter:image https://site.invalid/elsewhere.png: it does not load",
  ]) {
    assert.ok(wrong.some((w) => w.includes(text)), `not found: ${text}\n${wrong.join("\n")}`);
  }
  assert.ok(!wrong.some((w) => w.includes(" good.png:") || w.includes("/good.png: ")), wrong.join("\n"));
});

test("examples/hugo", () => built("hugo", "data/imgbuild.json", "public", (run) => run("hugo", ["--panicOnWarning"])));

test("examples/eleventy", () => built("eleventy", "src/_data/imgbuild.json", "_site", (run) => run("node", ["node_modules/@11ty/eleventy/cmd.cjs", "--quiet"])));

// What init writes, on its own and with names that are patterns to Eleventy.
test("a first site of Eleventy, in CommonJS", () => within("eleventy", async (dir, run, imgbuild) => {
  const eleventy = ["node_modules/@11ty/eleventy/cmd.cjs", "--quiet"];
  const put = (name, text) => writeFileSync(join(dir, name), text);
  put("package.json", `{ "type": "commonjs", "devDependencies": { "@11ty/eleventy": "3" } }`);
  imgbuild("init");
  put("eleventy.config.cjs", `module.exports = (eleventyConfig) => { eleventyConfig.addPlugin(require("./imgbuild.eleventy.cjs")); };`);
  put("index.njk", `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>A</title><style>img { max-width: 100%; height: auto }</style><main><h1>A</h1>{% imgbuild "hero" %}</main>`);
  assert.match(run("node", eleventy, { fails: (code) => code > 0 }), /there is no _data\/imgbuild\.json; run: imgbuild emit/);
  const names = ["a [1] (x)!.png", "b{c,d}.png", "!(e).png", "f].png", "sub/[x]/+(y).png", "100%.png"];
  put("odd.img.hcl", names.map((name, i) => `image "i${i}" {\n  prompt = "boat"\n  size = "${16 + i}x16"\n  path = "${name}"\n  alt = "Boat ${i}"\n}\n`).join(""));
  put("odd.njk", `<!doctype html><html lang="en"><title>B</title><main><h1>B</h1>${names.map((_, i) => `{% imgbuild "i${i}" %}`).join("\n")}</main>`);
  imgbuild("apply", "-auto-approve");
  run("node", eleventy);
  assert.deepEqual(await look(join(dir, "_site"), join(dir, "_data/imgbuild.json")), []);
  imgbuild("verify", "-site", "_site");
  put("bad.njk", `{% imgbuild "constructor" %}`);
  assert.match(run("node", eleventy, { fails: (code) => code > 0 }), /there is no image "constructor" in _data\/imgbuild\.json/);
}));

// What init writes for Hugo; what lies in assets/ and no template asks for is missed.
test("a first site of Hugo", () => within("hugo", async (dir, run, imgbuild) => {
  const put = (name, text) => writeFileSync(join(dir, name), text);
  put("hugo.toml", `baseURL = "https://example.org/blog/"\ndisableKinds = ["taxonomy", "term", "RSS", "section"]\n`);
  imgbuild("init");
  const page = (head) => put("layouts/index.html", `<!doctype html><html lang="en"><title>A</title>${head}<main><h1>A</h1>{{ partial "imgbuild.html" (dict "key" "hero") }}</main>`);
  put("more.img.hcl", `image "logo" {\n  prompt = "a mark"\n  size = "512x512"\n  decorative = true\n  icon {\n    path = "favicon"\n  }\n}\nimage "odd" {\n  prompt = "a mark"\n  size = "16x16"\n  path = "100%.png"\n  alt = "odd"\n}\n`);
  imgbuild("apply", "-auto-approve");
  page(`<link rel="icon" href="/blog/img/favicon.ico"><meta property="og:image" content="https://example.org/blog/img/favicon-512.png">`);
  run("hugo", ["--panicOnWarning"]);
  const missed = run(program, ["verify", "-site", "public"], { fails: (code) => code === 3 });
  assert.match(missed, /\/blog\/img\/favicon\.ico  image\.logo, an icon or a card: not in the site/);
  assert.match(missed, /https:\/\/example\.org\/blog\/img\/favicon-512\.png  image\.logo, an icon/);
  page(`{{ with resources.Get "img/favicon.ico" }}<link rel="icon" href="{{ .RelPermalink }}">{{ end }}{{ with resources.Get "img/favicon-512.png" }}<meta property="og:image" content="{{ .Permalink }}">{{ end }}`);
  run("hugo", ["--panicOnWarning"]);
  imgbuild("verify", "-site", "public");
  put("layouts/index.html", `{{ partial "imgbuild.html" (dict "key" "odd") }}`);
  assert.match(run("hugo", [], { fails: (code) => code > 0 }), /imgbuild: Hugo can't publish assets\/img\/100%\.png of image\.odd: there is a % in its path/);
}));
