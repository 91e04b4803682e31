import imgbuild from "./imgbuild.eleventy.cjs";

export default function (eleventyConfig) {
  eleventyConfig.addPlugin(imgbuild);
  eleventyConfig.addFilter("date", (date) => date.toISOString().slice(0, 10));
}

export const config = {
  dir: { input: "src" },
  markdownTemplateEngine: "njk",
};
