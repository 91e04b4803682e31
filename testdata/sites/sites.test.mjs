// The examples that are sites, built by their generators and opened in Chromium.
// Needs bin/imgbuild and what scripts/setup installs; scripts/sites starts it.
import { test } from "node:test";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { look } from "./check.mjs";
import { built } from "./example.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));

test("what is wrong with a page is found", async () => {
  const wrong = await look(here + "broken", here + "broken.json");
  for (const text of [
    "404 http://", "not loaded: http://example.invalid/far.png", "gone.png: it does not load", "good.png?late: it is 2x1, and its element says 0x0",
    "good.png?tall: no file of image.good is 2x2", "good.png?wide is 2 pixels wide, and srcset says 3w",
    'its alt is "A bad one", and that of image.good "A good one"', "its alt is null", "its label is trainedAlgorithmicMedia, not algorithmicMedia", "its label is null",
    "the manifest has no image.stranger", "does not say which image it is", "the layout shifts by", "axe: Images must have alternative text", "image.unseen: no page shows it",
  ]) {
    assert.ok(wrong.some((w) => w.includes(text)), `not found: ${text}\n${wrong.join("\n")}`);
  }
  assert.ok(!wrong.some((w) => w.includes(" good.png:")), wrong.join("\n"));
});

test("examples/hugo", () => built("hugo", "data/imgbuild.json", "public", (run) => run("hugo", ["--panicOnWarning"])));

test("examples/eleventy", () => built("eleventy", "src/_data/imgbuild.json", "_site", (run) => run("node", ["node_modules/@11ty/eleventy/cmd.cjs", "--quiet"])));
