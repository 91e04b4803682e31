// Opens each page of a built site in Chromium, on a wide and on a narrow screen,
// and looks at its pictures, icons and cards for previews:
//
//   node check.mjs SITE MANIFEST [SCREENSHOTS]
//
// SITE is the folder that the build wrote, MANIFEST a manifest of any kind but ts,
// SCREENSHOTS a folder for pictures of the pages. What is
// wrong is a line each; it ends with 1 then.
import { createServer } from "node:http";
import { mkdirSync, readFileSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, extname, join, relative, sep } from "node:path";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const types = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".avif": "image/avif", ".ico": "image/x-icon", ".svg": "image/svg+xml" };
const screens = [{ width: 1280, height: 800 }, { width: 390, height: 844 }];

// look finds what is wrong with a site. Nothing but the site itself is asked for
// anything.
export async function look(site, manifest, shots) {
  const wrong = [];
  const data = JSON.parse(readFileSync(manifest, "utf8"));
  const images = new Map(Object.values(data.generator ? data.images : data).map((im) => [im.address, im]));
  const shown = new Set();
  let painted;
  const server = createServer(async (request, reply) => {
    let file = join(site, decodeURIComponent(new URL(request.url, "http://x").pathname));
    const type = types[extname(file)] ?? types[".html"];
    // Pictures come late, as on a slow line: what moves when they do is seen.
    if (type.startsWith("image/")) await painted?.promise;
    try {
      if (statSync(file).isDirectory()) file = join(file, "index.html");
      const body = readFileSync(file);
      reply.writeHead(200, { "content-type": type, "content-length": body.length, "cache-control": "no-store" }).end(body);
    } catch {
      reply.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const home = `http://127.0.0.1:${server.address().port}/`;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", chromiumSandbox: false,
    args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  try {
    const pages = readdirSync(site, { recursive: true }).filter((name) => name.endsWith(".html")).map((name) => relative(site, join(site, name)).split(sep).join("/")).sort();
    if (pages.length === 0) wrong.push(`${site}: there is no page`);
    for (const name of pages) {
      for (const viewport of screens) {
        const say = (text) => wrong.push(`${name} at ${viewport.width}: ${text}`);
        const context = await browser.newContext({ viewport, reducedMotion: "reduce" });
        const page = await context.newPage();
        page.on("console", (m) => m.type() === "error" && say(`console: ${m.text()}`));
        page.on("pageerror", (e) => say(`script: ${e.message}`));
        page.on("requestfailed", (r) => say(`not loaded: ${r.url()}`));
        page.on("response", (r) => r.status() !== 200 && !r.url().endsWith("/favicon.ico") && say(`${r.status()} ${r.url()}`));
        await page.route((url) => !url.href.startsWith(home), (route) => route.abort());
        await page.route("**/favicon.ico", (route) => route.fulfill({ status: 200, contentType: "image/png", body: "" }));
        await page.addInitScript(() => {
          globalThis.shifts = [];
          new PerformanceObserver((list) => {
            for (const e of list.getEntries()) globalThis.shifts.push([e.value, e.sources.map((s) => s.node?.nodeName ?? "?").join(" ")]);
          }).observe({ type: "layout-shift", buffered: true });
        });
        painted = Promise.withResolvers ? Promise.withResolvers() : resolvers();
        await page.goto(home + name, { waitUntil: "domcontentloaded" });
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
        painted.resolve();
        const found = await page.evaluate(read);
        for (const im of found.images) {
          shown.add(im.address);
          for (const text of im.wrong) say(`${im.src}: ${text}`);
          const known = images.get(im.address);
          if (!known) {
            say(`${im.src}: ${im.address ? `the manifest has no ${im.address}` : "it does not say which image it is (data-imgbuild)"}`);
            continue;
          }
          if (im.alt !== known.alt || (im.alt === "") !== known.decorative) say(`${im.src}: its alt is ${JSON.stringify(im.alt)}, and that of ${im.address} ${JSON.stringify(known.alt)}`);
          const label = known.ai.label ? known.ai.digital_source_type.split("/").pop() : null;
          if (im.label !== label) say(`${im.src}: its label is ${im.label}, not ${label}`);
          if (![known, ...known.variants].some((f) => f.width === im.width && f.height === im.height)) say(`${im.src}: no file of ${im.address} is ${im.width}x${im.height}`);
        }
        for (const [what, url, size] of found.heads) {
          const of = [...images.values()].find((im) => [im, ...im.variants].some((f) => f.path && basename(f.path) === basename(url)));
          if (!of) say(`${what} ${url}: the manifest has no such file`);
          else shown.add(of.address);
          if (!size) say(`${what} ${url}: it does not load`);
          else if (what !== "icon" && ![of, ...(of?.variants ?? [])].some((f) => f?.width === size[0] && f.height === size[1])) say(`${what} ${url}: it is ${size.join("x")}, as no file of the manifest`);
        }
        for (const [value, nodes] of found.shifts) say(`the layout shifts by ${value}: ${nodes}`);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        for (const v of violations) say(`axe: ${v.help}: ${v.nodes.map((n) => n.html).join(" ")}`);
        if (shots) {
          mkdirSync(shots, { recursive: true });
          await page.screenshot({ path: join(shots, `${name.replaceAll("/", "-")}-${viewport.width}.png`), fullPage: true });
        }
        await context.close();
      }
    }
    for (const [address, im] of images) {
      if (!shown.has(address) && !im.status) wrong.push(`${address}: no page shows it`);
    }
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
  return wrong;
}

function resolvers() {
  const r = {};
  r.promise = new Promise((resolve) => (r.resolve = resolve));
  return r;
}

// read runs in the page: it scrolls through all of it, so that what is lazy
// loads, waits for each picture, and tells about it. What the head names on the
// host of the site is loaded from here.
async function read() {
  const heads = [];
  const own = document.querySelector("link[rel=canonical]")?.href;
  for (const e of document.querySelectorAll('link[rel~=icon], link[rel=apple-touch-icon], meta[property="og:image"], meta[name="twitter:image"]')) {
    const url = new URL(e.href ?? e.content, location.href);
    const plain = new Image();
    plain.src = (own && url.host === new URL(own).host ? url.pathname : url.href) + "?head"; // a name of its own: what browsers ask of themselves is answered above
    const size = await plain.decode().then(() => [plain.naturalWidth, plain.naturalHeight], () => null);
    heads.push([e.rel || e.getAttribute("property") || e.name, url.href, size]);
  }
  const images = [];
  for (const img of document.images) {
    img.scrollIntoView();
    const about = { src: img.getAttribute("src"), address: img.dataset.imgbuild, alt: img.getAttribute("alt"), label: img.dataset.aiGenerated ?? null, width: +img.getAttribute("width"), height: +img.getAttribute("height"), wrong: [] };
    images.push(about);
    try {
      await img.decode();
    } catch {
      about.wrong.push("it does not load");
      continue;
    }
    // Of what is chosen by width the browser tells another natural size.
    const size = async (src) => {
      const plain = new Image();
      plain.src = src;
      await plain.decode();
      return [plain.naturalWidth, plain.naturalHeight];
    };
    const [w, h] = await size(img.src);
    if (w !== about.width || h !== about.height) about.wrong.push(`it is ${w}x${h}, and its element says ${about.width}x${about.height}`);
    const [cw, ch] = await size(img.currentSrc);
    if (Math.abs(cw * h - ch * w) > Math.max(w, h)) about.wrong.push(`${img.currentSrc} is ${cw}x${ch}, another shape`);
    for (const set of [img, ...(img.closest("picture")?.querySelectorAll("source") ?? [])]) {
      for (const candidate of set.srcset ? set.srcset.split(", ") : []) {
        const [url, width] = candidate.trim().split(" ");
        const [real] = await size(url);
        if (width !== `${real}w`) about.wrong.push(`${url} is ${real} pixels wide, and srcset says ${width}`);
      }
    }
    const box = img.getBoundingClientRect();
    if (box.width > document.documentElement.clientWidth) about.wrong.push(`it is ${box.width} wide, more than the screen`);
    if (box.width < 1 || box.height < 1) about.wrong.push("it is not seen");
  }
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return { images, heads, shifts: globalThis.shifts };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const wrong = await look(process.argv[2], process.argv[3], process.argv[4]);
  for (const text of wrong) console.log(text);
  process.exit(wrong.length > 0 ? 1 : 0);
}
