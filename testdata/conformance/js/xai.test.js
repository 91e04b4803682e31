// @ai-sdk/xai with the package ai against the emulator's profile current: the
// client that most of those have who call the service from JavaScript today.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as ai6 from 'ai-6';
import * as ai7 from 'ai-7';
import { createXai as createXai3 } from 'ai-sdk-xai-3';
import { createXai as createXai5 } from 'ai-sdk-xai-5';
import { emulate, key, looks, original, price } from './emulator.js';

globalThis.AI_SDK_LOG_WARNINGS = false; // they are asserted where they are expected

const prompt = 'A cat in a tree';

for (const [version, ai, createXai] of [['3.0.138', ai6, createXai3], ['5.0.12', ai7, createXai5]]) {
  const start = async (t, faults) => {
    const e = await emulate(t, { profile: 'current', faults });
    const xai = (options) => createXai({ baseURL: e.baseURL, apiKey: key, ...options });
    const make = ({ model = 'grok-imagine-image', ...rest } = {}) =>
      ai.generateImage({ model: typeof model === 'string' ? xai().image(model) : model, prompt, maxRetries: 0, ...rest });
    return { e, xai, make };
  };
  const bytes = (r) => r.images.map((i) => i.uint8Array);

  describe(`@ai-sdk/xai ${version}`, () => {
    test('generate: a JPEG at the ratio asked for, with its price', async (t) => {
      const { e, make } = await start(t);
      const r = await make({ aspectRatio: '4:3' });
      looks(bytes(r), 'jpeg', 1184, 880);
      assert.equal(r.image.mediaType, 'image/jpeg');
      assert.deepEqual(r.warnings, []);
      assert.match(r.providerMetadata.xai.images[0].revisedPrompt, /cat in a tree/);
      if (r.calls) assert.equal(r.calls[0].providerMetadata.xai.costInUsdTicks, price.image); // ai 6 drops it
      await e.billed(1, { images: 1, ticks: price.image });
    });

    test('generate: resolution and quality decide pixels and price of 2.0', async (t) => {
      const { e, make } = await start(t);
      const r = await make({
        model: 'grok-imagine-image-2.0', aspectRatio: '16:9',
        providerOptions: { xai: { resolution: '2k', quality: 'medium' } },
      });
      looks(bytes(r), 'jpeg', 2736, 1536);
      await e.billed(1, { images: 1, ticks: 800_000_000 });
    });

    test('generate: n=4 is two requests, of three and of one, and four pictures', async (t) => {
      const { e, make } = await start(t);
      const r = await make({ n: 4 });
      assert.equal(r.images.length, 4);
      looks(bytes(r), 'jpeg', 1024, 1024);
      await e.billed(2, { images: 1, ticks: price.image }, { images: 3, ticks: 3 * price.image });
    });

    test('generate: pictures behind URLs, downloaded by the SDK from the host it called', async (t) => {
      const { e, xai, make } = await start(t);
      const byURL = (url, init) =>
        fetch(url, init?.body ? { ...init, body: init.body.replace('"b64_json"', '"url"') } : init);
      const r = await make({ model: xai({ fetch: byURL }).image('grok-imagine-image'), n: 2 });
      looks(bytes(r), 'jpeg', 1024, 1024);
      assert.equal((await e.stats()).fetches, 2);
      await e.billed(1, { images: 2, ticks: 2 * price.image });
    });

    test('edit: the picture keeps its size, input and output are billed', async (t) => {
      const { e, make } = await start(t);
      const r = await make({ prompt: { text: 'Make it night', images: [original] } });
      looks(bytes(r), 'jpeg', 96, 64);
      await e.billed(1, { images: 1, ticks: price.image + price.input });
    });

    test('edit of three pictures by 2.0, twice', async (t) => {
      const { e, make } = await start(t);
      const r = await make({
        model: 'grok-imagine-image-2.0', n: 2, prompt: { text: '<IMAGE_0> beside <IMAGE_1> and <IMAGE_2>, at night', images: [original, original, original] },
        aspectRatio: '1:1',
      });
      looks(bytes(r), 'jpeg', 1024, 1024);
      await e.billed(1, { images: 2, ticks: 2 * price.medium2 + 3 * price.input2 });
    });

    test('wrong key: 400', async (t) => {
      const { e, xai, make } = await start(t);
      await assert.rejects(make({ model: xai({ apiKey: 'xai-wrong' }).image('grok-imagine-image') }), is({ statusCode: 400 }, /Incorrect API key/));
      await e.billed(1);
    });
    test('unknown model: 404', async (t) => {
      const { e, make } = await start(t);
      await assert.rejects(make({ model: 'grok-2-image' }), is({ statusCode: 404 }, /grok-2-image does not exist/));
      await e.billed(1);
    });
    test('rate limit: 429, not billed', async (t) => {
      const { e, make } = await start(t, [{ do: { status: 429, retry_after: '1' } }]);
      await assert.rejects(make(), is({ statusCode: 429, isRetryable: true }, /Too Many Requests/));
      await e.billed(1);
    });

    // Each form in which the service refuses what it has made, and billed.
    for (const [form, name, message] of [
      ['400', 'AI_APICallError', /content moderation/],
      ['flag', 'Error', /content policy violation/],
      ['placeholder', 'Error', /content policy violation/],
      ['empty', 'AI_NoImageGeneratedError', /No image generated/],
    ]) {
      test(`moderated by ${form}: an error, and one charge`, async (t) => {
        const { e, make } = await start(t, [{ do: { moderated: form } }]);
        await assert.rejects(make(), { name, message });
        await e.billed(1, { images: 1, ticks: price.image });
      });
    }
  });

  const is = (want, message) => (err) => {
    assert.ok(ai.APICallError.isInstance(err), `${err.name}: ${err.message}`);
    assert.match(err.message, message);
    for (const name in want) assert.equal(err[name], want[name], name);
    return true;
  };
}
