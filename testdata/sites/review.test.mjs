// imgbuild review in Chromium: the page that is served, and the one that is a file.
// Needs bin/imgbuild and what scripts/setup installs; scripts/sites starts it.
// SCREENSHOTS=DIR keeps pictures of the pages.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const program = fileURLToPath(new URL("../../bin/imgbuild", import.meta.url));
const env = { PATH: process.env.PATH, HOME: tmpdir(), GIT_CONFIG_NOSYSTEM: "1", GIT_AUTHOR_NAME: "Jo", GIT_AUTHOR_EMAIL: "jo@example.com", GIT_COMMITTER_NAME: "Jo", GIT_COMMITTER_EMAIL: "jo@example.com" };

const gallery = `imgbuild {
  output_dir = "images"
  store {
    path = ".pictures"
    keep = "all"
  }
}
provider "sketch" {}
preset "house" {
  after = "Calm palette."
  size  = "512x320"
}
image "hero" {
  preset = preset.house
  prompt = "A lighthouse at dusk over a calm sea"
  alt    = "A lighthouse above the sea"
  n      = 4
}
image "night" {
  prompt = "the same at night"
  alt    = "The lighthouse at night"
  edit {
    image = image.hero
    mask {
      ellipse {
        cx = "50%"
        cy = "50%"
        rx = "30%"
        ry = "30%"
      }
    }
  }
}
image "hills" {
  preset = preset.house
  prompt = "Hills in the morning"
  alt    = "Hills"
}
image "city" {
  preset = preset.house
  prompt = "A city in the evening"
  alt    = "A city"
}
image "forest" {
  preset = preset.house
  prompt = "A forest in autumn"
  alt    = "A forest"
}
image "logo" {
  prompt = "A paper crane"
  size   = "256x256"
  alt    = "A paper crane"
}
`;

let browser, dir;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", chromiumSandbox: false,
    args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  dir = mkdtempSync(join(tmpdir(), "review-"));
});
after(async () => {
  await browser?.close();
  rmSync(dir, { recursive: true, force: true });
});

// project makes a folder with a configuration, and what runs imgbuild and git in it.
function project(name, text) {
  const at = join(dir, name);
  mkdirSync(at);
  const p = {
    at, file: join(at, "site.img.hcl"),
    run: (command, ...args) => execFileSync(command === "imgbuild" ? program : command, args, { cwd: at, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }),
    change: (from, to) => writeFileSync(p.file, readFileSync(p.file, "utf8").replace(from, to)),
  };
  writeFileSync(p.file, text);
  return p;
}

// five is a project of which a branch changes five pictures.
function five(name) {
  const p = project(name, gallery);
  p.run("git", "init", "-q", "-b", "main");
  p.run("imgbuild", "apply", "-auto-approve");
  p.run("git", "add", ".");
  p.run("git", "commit", "-qm", "base");
  p.run("git", "checkout", "-qb", "branch");
  for (const [from, to] of [["dusk", "dawn"], ["morning", "evening"], ["city in the evening", "city at noon"], ["autumn", "spring"]]) p.change(from, to);
  p.run("imgbuild", "apply", "-auto-approve");
  return p;
}

// serving runs a review while use uses it.
async function serving(p, args, use) {
  const child = spawn(program, ["review", ...args], { cwd: p.at, env, stdio: ["ignore", "pipe", "ignore"] });
  try {
    const address = await new Promise((done, fail) => {
      child.stdout.once("data", (b) => done(String(b).trim()));
      child.once("exit", (code) => fail(new Error(`imgbuild review ended with ${code}`)));
    });
    await use(address);
  } finally {
    child.kill("SIGINT");
  }
}

// open opens an address on a screen, and collects what goes wrong there and who
// else is asked for something.
async function open(address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const origin = new URL(address).origin;
  page.wrong = [];
  page.on("console", (m) => m.type() === "error" && page.wrong.push(`console: ${m.text()}`));
  page.on("pageerror", (e) => page.wrong.push(`script: ${e.message}`));
  page.on("request", (r) => !r.url().startsWith("data:") && new URL(r.url()).origin !== origin && page.wrong.push(`asked: ${r.url()}`));
  page.on("response", (r) => r.status() >= 400 && page.wrong.push(`${r.status()} ${r.url()}`));
  await page.goto(address);
  return page;
}

const told = (page) => page.locator("#told").textContent();
const mode = (page) => page.locator(".compare:visible").getAttribute("data-mode");

async function shot(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `review-${name}.png`), fullPage: true });
}

async function accessible(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`), []);
}

test("a branch that changes five pictures is judged by keys alone", async () => {
  const p = five("five");
  await serving(p, ["-base", "main", "-approve", "-by", "Jo"], async (address) => {
    const page = await open(address);
    const key = (k) => page.keyboard.press(k);
    assert.equal(await page.locator("#group-changed").textContent(), "Changed: 5");
    assert.equal(await page.locator("#group-unchanged").textContent(), "Unchanged: 1");

    // Filters.
    await key("/");
    await page.keyboard.type("lighthouse");
    assert.equal(await told(page), "2 images");
    await page.locator("#search").fill("");
    await page.locator("input[value=changed]").press("Space");
    assert.equal(await told(page), "1 image");
    await page.locator("input[value=changed]").press("Space");
    await key("?");
    assert.ok(await page.locator("#help").isVisible());
    await key("Escape");

    // The image: each view, by its key and by its slider.
    await page.locator("header h1").click();
    for (let i = 0; i < 4; i++) await key("j");
    assert.match(await page.evaluate(() => document.activeElement.href), /image\.hills|image\.hero/);
    await page.goto(new URL("/image?address=image.hero", address).href);
    assert.equal(await mode(page), "side");
    await key("w");
    assert.equal(await mode(page), "swipe");
    await page.locator("input[type=range]").press("End");
    assert.equal(await page.locator(".new .frame").evaluate((e) => getComputedStyle(e).clipPath), "inset(0px 0px 0px 100%)");
    await key("o");
    await page.locator("input[type=range]").press("Home");
    assert.equal(await page.locator(".new .frame").evaluate((e) => getComputedStyle(e).opacity), "0");
    await key("b");
    assert.equal(await mode(page), "blink");
    await key("s");
    assert.equal(await page.locator("del").first().textContent(), "dusk");
    for (const img of await page.locator("img").all()) {
      await img.scrollIntoViewIfNeeded();
      await img.evaluate((e) => e.decode());
    }

    // A candidate, applied while the page looks on, and approved.
    await key("3");
    await page.waitForFunction(() => document.getElementById("told").textContent.startsWith("Picked 3"));
    assert.match(readFileSync(p.file, "utf8"), /pick\s+= 3/);
    p.run("imgbuild", "apply", "-auto-approve");
    await page.waitForFunction(() => !document.body.textContent.includes("To do:"));
    await page.fill("input[name=note]", "the third");
    await key("Enter");
    await page.waitForFunction(() => document.getElementById("told").textContent.startsWith("Approved"));
    for (const name of ["night", "hills", "city", "forest", "logo"]) {
      await page.goto(new URL(`/image?address=image.${name}`, address).href);
      await key("a");
      await page.waitForFunction(() => document.getElementById("told").textContent.startsWith("Approved"));
    }
    p.run("imgbuild", "verify", "-approved");
    await key("x");
    await page.waitForFunction(() => document.getElementById("told").textContent.includes("taken back"));
    assert.throws(() => p.run("imgbuild", "verify", "-approved"));
    assert.match(readFileSync(join(p.at, "imgbuild.lock.json"), "utf8"), /"by": "Jo", "note": "the third"/);

    // The mask, and what is outside of it.
    await page.goto(new URL("/image?address=image.night", address).href);
    assert.match(await page.locator(".outside").textContent(), /^Outside of the mask .* of the pixels changed/);
    await key("m");
    assert.ok(await page.locator("img.mask").isVisible());
    await page.locator("img.mask").evaluate((e) => e.decode());

    // A step that has no picture yet shows up when the text asks for it.
    await page.goto(new URL("/", address).href);
    p.change("A paper crane", "A paper boat");
    await page.waitForFunction(() => document.querySelector(".card")?.textContent && document.body.textContent.includes("generate again"));
    assert.deepEqual(page.wrong, []);
  });
});

test("on each screen, light and dark, it can be read by everybody", async () => {
  const p = five("screens");
  await serving(p, ["-base", "main", "-approve", "-by", "Jo"], async (address) => {
    for (const [name, options] of Object.entries({ light: {}, dark: { colorScheme: "dark" }, phone: { viewport: { width: 390, height: 844 } } })) {
      const page = await open(address, options);
      for (const [kind, path] of Object.entries({ sheet: "/", image: "/image?address=image.hero", mask: "/image?address=image.night", preset: "/preset?name=house" })) {
        await page.goto(new URL(path, address).href, { waitUntil: "networkidle" });
        await accessible(page);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${kind} is wider than a ${name} screen`);
        await shot(page, `${kind}-${name}`);
      }
      assert.deepEqual(page.wrong, []);
    }
  });
});

test("as one file it asks for nothing", async () => {
  const p = five("file");
  p.run("imgbuild", "review", "-base", "main", "-o", "review.html");
  const page = await open(pathToFileURL(join(p.at, "review.html")).href);
  await accessible(page);
  await page.locator(".card a", { hasText: "image.hero" }).first().click();
  assert.ok(await page.locator("main.image:visible h1").textContent().then((t) => t.includes("image.hero")));
  assert.ok(!(await page.locator("#sheet").isVisible()));
  await page.keyboard.press("w");
  assert.equal(await mode(page), "swipe");
  await accessible(page);
  await page.keyboard.press("u");
  assert.ok(await page.locator("#sheet").isVisible());
  await page.locator("button", { hasText: "house" }).click();
  assert.equal(await told(page), "4 images");
  assert.deepEqual(page.wrong, []);
});

test("a stranger, another page, and a page in a frame get nothing", async () => {
  const p = project("stranger", gallery);
  await serving(p, [], async (address) => {
    const stranger = await browser.newPage();
    assert.equal((await stranger.goto(new URL("/", address).href)).status(), 403);
    const page = await open(address);
    const other = await page.context().newPage();
    await other.setContent(`<iframe src="${new URL("/", address).href}"></iframe>`);
    await other.waitForTimeout(500);
    assert.equal(await other.frames().at(-1).locator("#sheet").count().catch(() => 0), 0);
    const read = await other.evaluate((url) => fetch(url, { credentials: "include" }).then((r) => r.status, () => "refused"), new URL("/state", address).href);
    assert.equal(read, "refused");
  });
});

test("500 images can be used after less than a second of work", async () => {
  const p = project("many", `provider "sketch" {}\nimage "tile" {\n  for_each = { for i in range(500) : format("%03d", i) => i }\n  prompt = "tile \${each.key}"\n  size = "64x64"\n  alt = "Tile \${each.key}"\n}\n`);
  p.run("imgbuild", "apply", "-auto-approve");
  await serving(p, [], async (address) => {
    const page = await open(address);
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable");
    const work = async () => (await session.send("Performance.getMetrics")).metrics.find((m) => m.name === "TaskDuration").value;
    await page.goto(new URL("/", address).href);
    await page.fill("#search", "tile 499");
    assert.equal(await told(page), "1 image");
    const seconds = await work();
    console.log(`500 images: ${seconds.toFixed(2)} s of work until one is found`);
    assert.ok(seconds < 1, `${seconds} s`);
    assert.deepEqual(page.wrong, []);
  });
});
