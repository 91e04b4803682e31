// Builds a copy of an example, and holds its pictures and pages to what imgbuild
// says of them; then the same with all pictures bought from the emulator.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { look } from "./check.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
export const program = join(root, "bin", "imgbuild");

// within works in a folder of its own, with what an example has installed: run
// starts a program there that must end with 0, or with a code that fails names.
export async function within(example, work) {
  const dir = mkdtempSync(join(tmpdir(), "imgbuild-site-"));
  const run = (name, args, { fails, ...env } = {}) => {
    const { status, error, stdout, stderr } = spawnSync(name, args, { cwd: dir, encoding: "utf8", env: { ...process.env, XAI_API_KEY: "", ...env } });
    assert.ok(!error && (fails ? fails(status) : status === 0), `${[name, ...args].join(" ")} ends with ${error ?? status}\n${stdout}${stderr}`);
    return stdout + (fails ? stderr : "");
  };
  try {
    const installed = join(root, "examples", example, "node_modules");
    if (existsSync(installed)) symlinkSync(installed, join(dir, "node_modules"));
    await work(dir, run, (...args) => run(program, args));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

export const built = (example, manifest, site, build) => within(example, async (dir, run, imgbuild) => {
  const from = join(root, "examples", example);
  cpSync(from, dir, { recursive: true, filter: (name) => !["node_modules", site, ".imgbuild"].map((left) => join(from, left)).includes(name) });
  const check = async (screenshots) => {
    imgbuild("verify"); // what is there is what the lock records
    imgbuild("emit", "-check");
    rmSync(join(dir, site), { recursive: true, force: true });
    build(run);
    assert.deepEqual(await look(join(dir, site), join(dir, manifest), process.env.SCREENSHOTS && join(process.env.SCREENSHOTS, screenshots)), []);
    imgbuild("verify", "-site", site);
    imgbuild("unused", "-check"); // in its sources
    imgbuild("unused", "-check", "-site", site);
  };
  imgbuild("fmt", "-check");
  await check(example);

  const emulator = spawn(program, ["emulate", "-profile", "current"], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [line] = await once(createInterface(emulator.stdout), "line");
    const hcl = join(dir, "site.img.hcl");
    const sketched = readFileSync(hcl, "utf8");
    const bought = sketched.replace('provider "sketch" {}', `provider "xai" {\n  endpoint = "${line.replace("listening on ", "")}/v1"\n}`);
    assert.notEqual(bought, sketched);
    writeFileSync(hcl, bought);
    imgbuild("apply", "-auto-approve");
    const told = readFileSync(join(dir, manifest), "utf8");
    assert.ok(told.includes("/trainedAlgorithmicMedia") && !told.includes("/algorithmicMedia"), told);
    await check(example + "-bought");
  } finally {
    emulator.kill();
  }
});
