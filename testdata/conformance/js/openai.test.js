// npm openai against the emulator: what the documentation page shows with the
// OpenAI SDK, and the errors as that SDK classes them.
import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as openai6 from 'openai-6';
import * as openai7 from 'openai-7';
import { changedOnlyLeft, download, emulate, key, looks, mask, original, price, toEdit } from './emulator.js';

const model = 'grok-imagine-image';
const prompt = 'A futuristic city with flying cars at sunset';
const bytes = (b64) => Buffer.from(b64, 'base64');

for (const [version, { default: OpenAI, toFile, ...errors }] of [['6.49.0', openai6], ['7.57.0', openai7]]) {
  const client = (emulator, options) => new OpenAI({ baseURL: emulator.baseURL, apiKey: key, maxRetries: 0, ...options });

  describe(`openai ${version}, profile documented`, () => {
    test('generate: one picture behind a URL, of the size asked for', async (t) => {
      const e = await emulate(t);
      const r = await client(e).images.generate({ model, prompt, n: 1, size: '1792x1024' });
      assert.equal(r.data.length, 1);
      assert.match(r.data[0].revised_prompt, /futuristic city/);
      looks([await download(e, r.data[0].url)], 'png', 1792, 1024);
      await e.billed(1, { images: 1, ticks: price.image });
    });

    test('generate: base64, style, and a ratio that the SDK does not know', async (t) => {
      const e = await emulate(t);
      const r = await client(e).images.generate({ model, prompt, response_format: 'b64_json', style: 'natural', aspect_ratio: '3:4' });
      assert.equal(r.data[0].url, undefined);
      looks([bytes(r.data[0].b64_json)], 'png', 880, 1184);
      await e.billed(1, { images: 1, ticks: price.image });
    });

    test('generate: n=4 is four pictures and one charge', async (t) => {
      const e = await emulate(t);
      const r = await client(e).images.generate({ model, prompt, n: 4 });
      assert.equal(r.data.length, 4);
      looks(await Promise.all(r.data.map((d) => download(e, d.url))), 'png', 1024, 1024);
      await e.billed(1, { images: 4, ticks: 4 * price.image });
    });

    test("edit with mask, as the page's sample: streams of files", async (t) => {
      const e = await emulate(t);
      const dir = await mkdtemp(join(tmpdir(), 'conformance-'));
      t.after(() => rm(dir, { recursive: true }));
      await writeFile(join(dir, 'original.png'), original);
      await writeFile(join(dir, 'mask.png'), mask);
      const r = await client(e).images.edit({
        model, prompt: 'Add a rainbow in the sky', n: 1,
        image: createReadStream(join(dir, 'original.png')),
        mask: createReadStream(join(dir, 'mask.png')),
      });
      changedOnlyLeft(original, await download(e, r.data[0].url));
      await e.billed(1, { images: 1, ticks: price.image + price.input });
    });

    test('edit of two pictures, base64, of the size asked for', async (t) => {
      const e = await emulate(t);
      const file = () => toFile(original, 'original.png', { type: 'image/png' });
      const r = await client(e).images.edit({
        model, prompt: 'Put both into one frame', image: [await file(), await file()], size: '1024x1024', response_format: 'b64_json',
      });
      looks([bytes(r.data[0].b64_json)], 'png', 1024, 1024);
      await e.billed(1, { images: 1, ticks: price.image + 2 * price.input });
    });

    test('models: the list that the SDK can page through', async (t) => {
      const e = await emulate(t);
      const ids = [];
      for await (const m of client(e).models.list()) ids.push(m.id);
      assert.ok(ids.includes(model), ids.join());
      assert.equal((await client(e).models.retrieve(model)).object, 'model');
      await e.billed(0);
    });
  });

  describe(`openai ${version}, errors by class`, () => {
    const refused = async (t, { options, change, setup }, type, status, message, ...charges) => {
      const e = await emulate(t, setup);
      await assert.rejects(client(e, options).images.generate({ model, prompt, ...change }), (err) => {
        assert.ok(err instanceof errors[type], `${err.constructor.name}: ${err.message}`);
        assert.equal(err.status, status);
        assert.match(err.message, message);
        return true;
      });
      await e.billed(1, ...charges);
    };
    const fault = (fault, setup) => ({ setup: { faults: [{ do: fault }], ...setup } });

    test('wrong key: 400, as the service has it', (t) => refused(t, { options: { apiKey: 'xai-wrong' } }, 'BadRequestError', 400, /Incorrect API key/));
    test('no key: 401', (t) =>
      refused(t, { options: { defaultHeaders: { Authorization: null } } }, 'AuthenticationError', 401, /No credentials/));
    test('unknown model: 404', (t) => refused(t, { change: { model: 'grok-2-image' } }, 'NotFoundError', 404, /grok-2-image does not exist/));
    test('no prompt: 422', (t) => refused(t, { change: { prompt: '' } }, 'UnprocessableEntityError', 422, /prompt/));
    test('n=11: 400', (t) => refused(t, { change: { n: 11 } }, 'BadRequestError', 400, /between 1 and 10/));
    test('size that the page does not have: 400', (t) => refused(t, { change: { size: '512x512' } }, 'BadRequestError', 400, /512x512/));
    test('quality: 400 in the documented profile', (t) => refused(t, { change: { quality: 'hd' } }, 'BadRequestError', 400, /quality/));
    test('moderated by 400: refused and billed', (t) =>
      refused(t, fault({ moderated: '400' }), 'BadRequestError', 400, /content moderation/, { images: 1, ticks: price.image }));
    test('rate limit: 429, not billed', (t) => refused(t, fault({ status: 429, retry_after: '1' }), 'RateLimitError', 429, /Too Many Requests/));
    test('500: not billed', (t) => refused(t, fault({ status: 500 }), 'InternalServerError', 500, /Internal Server Error/));
    test('size in the profile current: 400', (t) =>
      refused(t, { change: { size: '1024x1024' }, setup: { profile: 'current' } }, 'BadRequestError', 400, /Argument not supported: size/));

    test('multipart edit in the profile current: 415', async (t) => {
      const e = await emulate(t, { profile: 'current' });
      const image = await toFile(original, 'original.png', { type: 'image/png' });
      await assert.rejects(client(e).images.edit({ model, prompt, image }), { status: 415 });
      await e.billed(1);
    });

    test('connection closed after the request: no status, and billed', async (t) => {
      const e = await emulate(t, { faults: [{ do: { drop: 'after-request' } }] });
      await assert.rejects(client(e).images.generate({ model, prompt }), errors.APIConnectionError);
      await e.billed(1, { images: 1, ticks: price.image });
    });

    test('rate limit with retries: the second request is served and billed', async (t) => {
      const e = await emulate(t, { faults: [{ times: 1, do: { status: 429, retry_after: '0.05' } }] });
      const r = await client(e, { maxRetries: 1 }).images.generate({ model, prompt });
      looks([await download(e, r.data[0].url)], 'png', 1024, 1024);
      await e.billed(2, { images: 1, ticks: price.image });
    });

    // The SDK knows no moderation in a reply of 200: it must come through as it is.
    for (const [form, look] of [
      ['flag', (data) => assert.deepEqual(data, [{ respect_moderation: false }])],
      ['placeholder', (data) => (assert.equal(data[0].respect_moderation, false), looks([bytes(data[0].b64_json)], 'png', 1024, 1024))],
      ['empty', (data) => assert.deepEqual(data, [])],
    ]) {
      test(`moderated by ${form}: a reply of 200, billed`, async (t) => {
        const e = await emulate(t, { faults: [{ do: { moderated: form } }] });
        const r = await client(e).images.generate({ model, prompt, response_format: 'b64_json' });
        look(r.data);
        await e.billed(1, { images: 1, ticks: price.image });
      });
    }
  });

  test(`openai ${version}, profile current: a JPEG at the ratio asked for`, async (t) => {
    const e = await emulate(t, { profile: 'current' });
    const r = await client(e).images.generate({ model, prompt, aspect_ratio: '16:9' });
    looks([await download(e, r.data[0].url)], 'jpeg', 1360, 768);
    await e.billed(1, { images: 1, ticks: price.image });
  });

  describe(`openai ${version}, profile openai`, () => {
    // A million tokens cost 5 USD of text, 8 of pictures sent, 30 of pictures made.
    const ticks = ({ input_tokens_details: { text_tokens, image_tokens }, output_tokens }) =>
      5e4 * text_tokens + 8e4 * image_tokens + 30e4 * output_tokens;

    test('generate: pictures of the size and format asked for, billed by tokens', async (t) => {
      const e = await emulate(t, { profile: 'openai' });
      const r = await client(e).images.generate({ model: 'gpt-image-2', prompt, n: 2, size: '1024x1536', quality: 'low', output_format: 'jpeg' });
      looks(r.data.map((d) => bytes(d.b64_json)), 'jpeg', 1024, 1536);
      assert.ok(r.usage.output_tokens > 0);
      await e.billed(1, { images: 2, ticks: ticks(r.usage) });
    });

    test('edit with mask', async (t) => {
      const e = await emulate(t, { profile: 'openai' });
      const { original, mask } = toEdit(1024, 1024);
      const file = (b, name) => toFile(b, name, { type: 'image/png' });
      const r = await client(e).images.edit({
        model: 'gpt-image-2', prompt: 'Add a rainbow in the sky', size: '1024x1024',
        image: [await file(original, 'original.png')], mask: await file(mask, 'mask.png'),
      });
      changedOnlyLeft(original, bytes(r.data[0].b64_json));
      assert.ok(r.usage.input_tokens_details.image_tokens > 0);
      await e.billed(1, { images: 1, ticks: ticks(r.usage) });
    });

    for (const [name, type, told, { options, change, fault, charges = 0 }] of [
      ['wrong key', 'AuthenticationError', { status: 401, code: 'invalid_api_key' }, { options: { apiKey: 'sk-wrong' } }],
      ['unknown model', 'NotFoundError', { status: 404, code: 'model_not_found', param: 'model' }, { change: { model: 'dall-e-3' } }],
      ['style, which is of dall-e', 'BadRequestError', { status: 400, code: 'unknown_parameter', param: 'style' }, { change: { style: 'vivid' } }],
      ['moderated', 'BadRequestError', { status: 400, type: 'image_generation_user_error', code: 'moderation_blocked' }, { fault: { moderated: '400' }, charges: 1 }],
      ['rate limit', 'RateLimitError', { status: 429, code: 'rate_limit_exceeded' }, { fault: { status: 429 } }],
    ]) {
      test(`${name}: ${told.code}`, async (t) => {
        const e = await emulate(t, { profile: 'openai', faults: fault && [{ do: fault }] });
        await assert.rejects(client(e, options).images.generate({ model: 'gpt-image-2', prompt, ...change }), (err) => {
          assert.ok(err instanceof errors[type], `${err.constructor.name}: ${err.message}`);
          for (const field in told) assert.equal(err[field], told[field], field);
          return true;
        });
        const stats = await e.stats();
        assert.deepEqual([stats.requests, stats.charges.length], [1, charges]);
      });
    }
  });
}
