// Builds a copy of an example, and holds its pictures and pages to what imgbuild
// says of them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { look } from "./check.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));

export async function built(example, manifest, site, build) {
  const from = join(root, "examples", example);
  const dir = mkdtempSync(join(tmpdir(), "imgbuild-site-"));
  try {
    const installed = join(from, "node_modules");
    cpSync(from, dir, { recursive: true, filter: (name) => ![installed, join(from, site), join(from, ".imgbuild")].includes(name) });
    const run = (program, args, env) => {
      const { status, error, stdout, stderr } = spawnSync(program, args, { cwd: dir, encoding: "utf8", env: { ...process.env, ...env } });
      assert.equal(error ?? status, 0, `${[program, ...args].join(" ")} ends with ${error ?? status}\n${stdout}${stderr}`);
      return stdout;
    };
    const imgbuild = (...args) => run(join(root, "bin", "imgbuild"), args);
    imgbuild("fmt", "-check");
    imgbuild("verify"); // what is committed is what the lock records
    imgbuild("emit", "-check");
    build(dir, run, () => symlinkSync(installed, join(dir, "node_modules")));
    assert.deepEqual(await look(join(dir, site), join(dir, manifest), process.env.SCREENSHOTS && join(process.env.SCREENSHOTS, example)), []);
    imgbuild("verify", "-site", site);
    imgbuild("unused", "-check"); // in its sources
    imgbuild("unused", "-check", "-site", site);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
