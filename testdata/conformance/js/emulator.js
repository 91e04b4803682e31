// The emulator as a child process, and what the tests ask of the pictures that
// came from it. The clients under test are other people's; this is all of ours.
import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';

globalThis.File ??= File; // the openai SDKs want it there, where Debian's node 18 has it not

const program = fileURLToPath(new URL('../../../bin/imgbuild', import.meta.url));

export const key = 'xai-conformance';

// Prices as published, in ticks of 1e-10 USD: an image of each model, and a
// picture that is sent to be edited.
const cent = 100_000_000;
export const price = { image: 2 * cent, input: cent / 5, low2: 4 * cent, medium2: 6 * cent, input2: cent };

// emulate starts the built program for one test, so that what it counts is of
// this test alone, and ends it with the test.
export async function emulate(t, { profile = 'documented', faults = [] } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'conformance-'));
  await writeFile(join(dir, 'faults.json'), JSON.stringify(faults));
  const child = spawn(program, ['emulate', '-profile', profile, '-key', key, '-faults', join(dir, 'faults.json')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const stop = () => child.kill('SIGKILL');
  process.once('exit', stop);
  t.after(async () => {
    child.kill();
    await exited;
    process.off('exit', stop);
    await rm(dir, { recursive: true });
  });
  let said = '';
  child.stderr.on('data', (text) => (said += text));
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), exited.then(() => [undefined])]);
  const origin = /^listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(line ?? '')?.[1];
  assert.ok(origin, `imgbuild emulate says where it listens; it said ${line}\n${said}`);
  const stats = async () => (await fetch(`${origin}/_emulator/stats`)).json();
  return {
    origin,
    host: new URL(origin).host,
    baseURL: `${origin}/v1`,
    stats,
    // billed asserts what a provider would have charged, and for how many
    // requests. Charges are given by rising price: requests may run side by side.
    async billed(requests, ...charges) {
      const s = await stats();
      const got = s.charges.map(({ images, ticks }) => ({ images, ticks })).sort((a, b) => a.ticks - b.ticks);
      assert.deepEqual({ requests: s.requests, charges: got }, { requests, charges });
      assert.equal(s.ticks, charges.reduce((sum, c) => sum + c.ticks, 0));
    },
  };
}

// decode takes a picture apart, all of it, and says what it is.
export function decode(bytes) {
  const b = Buffer.from(bytes);
  if (b.subarray(0, 8).toString('latin1') === '\x89PNG\r\n\x1a\n') {
    const { width, height, data } = PNG.sync.read(b);
    return { format: 'png', width, height, data };
  }
  if (b.subarray(0, 3).toString('hex') === 'ffd8ff') {
    const { width, height, data } = jpeg.decode(b, { tolerantDecoding: false });
    return { format: 'jpeg', width, height, data };
  }
  assert.fail(`neither PNG nor JPEG: ${b.subarray(0, 32).toString('latin1')}`);
}

// looks asserts that bytes are pictures of that format and size, and that no
// two of them are the same picture.
export function looks(all, format, width, height) {
  const seen = new Set();
  for (const bytes of all) {
    const p = decode(bytes);
    assert.deepEqual({ format: p.format, width: p.width, height: p.height }, { format, width, height });
    seen.add(p.data.toString('latin1'));
  }
  assert.equal(seen.size, all.length, 'each picture is another one');
}

// download fetches what a URL of a reply shows, from the emulator itself.
export async function download(emulator, url) {
  assert.equal(new URL(url).origin, emulator.origin);
  const r = await fetch(url);
  assert.equal(r.status, 200);
  const bytes = Buffer.from(await r.arrayBuffer());
  assert.equal(r.headers.get('content-type'), `image/${decode(bytes).format}`);
  return bytes;
}

// toEdit makes a picture, and a mask of it that lets its left half change:
// transparent there, opaque elsewhere.
export function toEdit(width, height) {
  const png = (colour) => {
    const p = new PNG({ width, height });
    for (let i = 0; i < width * height; i++) p.data.set(colour(i % width, Math.floor(i / width)), 4 * i);
    return PNG.sync.write(p);
  };
  return { original: png((x, y) => [2 * x, 3 * y, 90, 255]), mask: png((x) => [0, 0, 0, x < width / 2 ? 0 : 255]) };
}

export const { original, mask } = toEdit(96, 64);

// changedOnlyLeft asserts that an edit with mask kept each pixel of the right
// half and changed much of the left.
export function changedOnlyLeft(original, bytes) {
  const { width, height, data: before } = decode(original);
  looks([bytes], 'png', width, height);
  const after = decode(bytes).data;
  let left = 0, right = 0;
  for (let i = 0; i < before.length; i += 4) {
    if (before.readUInt32LE(i) === after.readUInt32LE(i)) continue;
    if ((i / 4) % width < width / 2) left++;
    else right++;
  }
  assert.equal(right, 0, `${right} pixels outside the mask changed`);
  assert.ok(left > (width * height) / 8, `only ${left} pixels inside the mask changed`);
}
