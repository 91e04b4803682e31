// As sites.test.mjs, for a generator that takes minutes to install: make sites-astro.
import { test } from "node:test";
import { built } from "./example.mjs";

test("examples/astro", () => built("astro", "src/data/imgbuild.json", "dist", (run) =>
  run("node", ["node_modules/astro/astro.js", "build"], { ASTRO_TELEMETRY_DISABLED: "1" })));
