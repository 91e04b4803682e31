// Shows pictures that imgbuild made. Written by imgbuild init; it is yours to change.
//
// In the configuration of Eleventy:
//
//   import imgbuild from "./imgbuild.eleventy.cjs";    // or, in CommonJS: const imgbuild = require("./imgbuild.eleventy.cjs");
//   eleventyConfig.addPlugin(imgbuild);
//
// In a page: {% imgbuild "hero" %} or, in Nunjucks,
// {% imgbuild "hero", { sizes: "50vw", priority: true, variant: "card", placeholder: true, class: "wide", alt: "…" } %};
// Liquid takes sizes, priority and variant one after the other.
const { existsSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

const manifest = "src/_data/imgbuild.json";
const read = () => {
  const file = join(__dirname, manifest);
  if (!existsSync(file)) throw new Error(`imgbuild: there is no ${manifest}; run: imgbuild emit`);
  return JSON.parse(readFileSync(file, "utf8")).images;
};
const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

module.exports = function (eleventyConfig) {
  let images = read();
  eleventyConfig.addWatchTarget("./" + manifest);
  eleventyConfig.on("eleventy.before", () => { images = read(); });
  // The pictures are copied to where the manifest says that they are.
  for (const im of Object.values(images)) {
    for (const file of [im, ...im.variants]) {
      if (!file.url) continue;
      const to = decodeURIComponent(file.url);
      // Eleventy takes a path with such characters for a pattern, and where it goes for a folder.
      const pattern = file.path.replace(/[[\](){}]/g, "[$&]");
      eleventyConfig.addPassthroughCopy({ [pattern]: pattern === file.path ? to : to.slice(0, to.lastIndexOf("/") + 1) });
    }
  }

  eleventyConfig.addShortcode("imgbuild", (key, options = {}, priority = false, variant = "") => {
    const o = typeof options === "string" ? { sizes: options, priority, variant } : options;
    const im = Object.hasOwn(images, key) && images[key];
    if (!im) throw new Error(`imgbuild: there is no image ${JSON.stringify(key)} in ${manifest}; run imgbuild apply if its block is new`);
    if (im.status) throw new Error(`imgbuild: ${im.address} is ${im.status}; run: imgbuild apply`);
    const file = o.variant ? im.variants.find((v) => !v.set && v.name === o.variant) : im.shown ?? im;
    if (!file) throw new Error(`imgbuild: ${im.address} has no rendition ${JSON.stringify(o.variant)} that is made`);
    const url = (f) => {
      if (!f.url) throw new Error(`imgbuild: ${f.path} of ${im.address} is not below the folder of the site's pages`);
      return eleventyConfig.getFilter("url")(f.url);
    };
    const alt = o.alt ?? im.alt;
    if (!alt && !im.decorative) console.warn(`imgbuild: ${im.address} has no alt; write one, or decorative = true`);
    const attributes = (list) => Object.entries(list).filter(([, value]) => value !== undefined).map(([name, value]) => ` ${name}="${escape(value)}"`).join("");
    const set = (files) => ({ srcset: files.map((f) => `${url(f)} ${f.width}w`).join(", "), sizes: o.sizes || im.sizes || "100vw" });
    const choices = o.variant ? [] : im.srcset ?? [];
    const own = choices.find((c) => !c.mime)?.files ?? [];
    const sources = choices.filter((c) => c.mime).map((c) => `<source${attributes({ type: c.mime, ...set(c.files) })}>`).join("");
    const img = `<img${attributes({
      src: url(file), ...(own.length > 1 ? set(own) : {}), width: file.width, height: file.height,
      alt: alt || im.decorative ? alt : undefined, class: o.class,
      style: o.placeholder && im.placeholder ? `background: ${im.placeholder.color} url(${im.placeholder.data_url}) center / cover no-repeat` : undefined,
      loading: o.priority ? undefined : "lazy", fetchpriority: o.priority ? "high" : undefined, decoding: "async",
      "data-imgbuild": im.address, "data-ai-generated": im.ai.label ? im.ai.digital_source_type.split("/").pop() : undefined,
    })}>`;
    return sources ? `<picture>${sources}${img}</picture>` : img;
  });
};
