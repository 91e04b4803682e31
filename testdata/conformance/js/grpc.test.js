// @grpc/grpc-js with the .proto file as it is, and the channel options of xAI's
// Python SDK: the official client is not to be had from npm.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { download, emulate, key, looks, original, price } from './emulator.js';

const proto = fileURLToPath(new URL('../../../internal/xaipb/image.proto', import.meta.url));
const { Image } = grpc.loadPackageDefinition(
  loadSync(proto, { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true }),
).xai_api;

// What the SDK sets, see its client.py.
const options = {
  'grpc.max_send_message_length': 20 << 20,
  'grpc.max_receive_message_length': 20 << 20,
  'grpc.enable_retries': 1,
  'grpc.service_config': JSON.stringify({
    methodConfig: [{
      name: [{}],
      retryPolicy: { maxAttempts: 5, initialBackoff: '0.1s', maxBackoff: '1s', backoffMultiplier: 2, retryableStatusCodes: ['UNAVAILABLE'] },
    }],
  }),
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.http2.max_pings_without_data': 0,
  'grpc.primary_user_agent': 'XaiSdk/1.4.0',
};

const request = { prompt: 'A cat in a tree', model: 'grok-imagine-image', n: 1 };

async function start(t, { bearer = key, ...setup } = {}) {
  const e = await emulate(t, setup);
  const stub = new Image(e.host, grpc.credentials.createInsecure(), options);
  t.after(() => stub.close());
  const metadata = new grpc.Metadata();
  if (bearer) metadata.set('authorization', `Bearer ${bearer}`);
  metadata.set('xai-sdk-version', 'python/1.4.0');
  metadata.set('xai-sdk-language', 'python/3.12');
  const call = promisify(stub.GenerateImage.bind(stub));
  return { e, generate: (change) => call({ ...request, ...change }, metadata, { deadline: Date.now() + 60_000 }) };
}

// The SDK splits there, and fails without it.
const bytes = (image) => Buffer.from(image.base64.split('base64,')[1], 'base64');
const dataURL = `data:image/png;base64,${original.toString('base64')}`;

describe('grpc-js', () => {
  test('url: one picture, with its model and price', async (t) => {
    const { e, generate } = await start(t);
    const r = await generate({ format: 'IMG_FORMAT_URL', aspect_ratio: 'IMG_ASPECT_RATIO_9_16' });
    assert.deepEqual(r.images.map((i) => [i.image, i.respect_moderation]), [['url', true]]);
    looks([await download(e, r.images[0].url)], 'png', 1024, 1792);
    assert.equal(r.model, 'grok-imagine-image');
    assert.equal(r.usage.cost_in_usd_ticks, price.image);
    await e.billed(1, { images: 1, ticks: price.image });
  });

  test('base64: a data URL; resolution and quality decide pixels and price of 2.0', async (t) => {
    const { e, generate } = await start(t, { profile: 'current' });
    const r = await generate({
      model: 'grok-imagine-image-2.0', format: 'IMG_FORMAT_BASE64',
      aspect_ratio: 'IMG_ASPECT_RATIO_3_2', resolution: 'IMG_RESOLUTION_2K', quality: 'IMG_QUALITY_MEDIUM',
    });
    assert.match(r.images[0].base64, /^data:image\/jpeg;base64,/);
    looks([bytes(r.images[0])], 'jpeg', 2512, 1680);
    await e.billed(1, { images: 1, ticks: 800_000_000 });
  });

  test('n=4: four pictures and one charge', async (t) => {
    const { e, generate } = await start(t);
    const r = await generate({ n: 4, format: 'IMG_FORMAT_URL' });
    assert.equal(r.images.length, 4);
    looks(await Promise.all(r.images.map((i) => download(e, i.url))), 'png', 1024, 1024);
    await e.billed(1, { images: 4, ticks: 4 * price.image });
  });

  test('edit: the picture keeps its size and is not what it was', async (t) => {
    const { e, generate } = await start(t);
    const r = await generate({ prompt: 'Make it night', image: { image_url: dataURL, detail: 'DETAIL_AUTO' }, format: 'IMG_FORMAT_BASE64' });
    looks([original, bytes(r.images[0])], 'png', 96, 64);
    await e.billed(1, { images: 1, ticks: price.image + price.input });
  });

  test('edit of three pictures', async (t) => {
    const { e, generate } = await start(t);
    const one = { image_url: dataURL, detail: 'DETAIL_AUTO' };
    const r = await generate({ prompt: 'All three, at night', images: [one, one, one], aspect_ratio: 'IMG_ASPECT_RATIO_1_1', format: 'IMG_FORMAT_BASE64' });
    looks([bytes(r.images[0])], 'png', 1024, 1024);
    await e.billed(1, { images: 1, ticks: price.image + 3 * price.input });
  });

  const { status } = grpc;
  const fault = (one) => ({ setup: { faults: [{ do: one }] } });
  for (const [name, code, details, { change, setup, charges = [] }] of [
    ['wrong key', status.INVALID_ARGUMENT, /Incorrect API key/, { setup: { bearer: 'xai-wrong' } }],
    ['no key', status.UNAUTHENTICATED, /No credentials/, { setup: { bearer: '' } }],
    ['unknown model', status.NOT_FOUND, /grok-2-image does not exist/, { change: { model: 'grok-2-image' } }],
    ['n=11', status.INVALID_ARGUMENT, /between 1 and 10/, { change: { n: 11 } }],
    ['picture that is none', status.INVALID_ARGUMENT, /image/, { change: { image: { image_url: 'data:image/png;base64,AAAA' } } }],
    ['moderated', status.INVALID_ARGUMENT, /content moderation/, { ...fault({ moderated: '400' }), charges: [{ images: 1, ticks: price.image }] }],
    ['rate limit', status.RESOURCE_EXHAUSTED, /Too Many Requests/, fault({ status: 429 })],
    ['blocked key, in words with : and %', status.PERMISSION_DENIED, /^blocked: 100 % für 猫$/, fault({ status: 403, body: 'blocked: 100 % für 猫' })],
    ['internal', status.INTERNAL, /Internal Server Error/, fault({ status: 500 })],
  ]) {
    test(`${name}: ${status[code]}`, async (t) => {
      const { e, generate } = await start(t, setup);
      await assert.rejects(generate(change), (err) => {
        assert.equal(err.code, code, err.message);
        assert.match(err.details, details);
        return true;
      });
      await e.billed(1, ...charges);
    });
  }

  test('moderated in a reply: neither url nor base64, and billed', async (t) => {
    const { e, generate } = await start(t, { faults: [{ do: { moderated: 'flag' } }] });
    const r = await generate();
    assert.deepEqual(r.images.map((i) => [i.image, i.respect_moderation]), [[undefined, false]]);
    await e.billed(1, { images: 1, ticks: price.image });
  });

  test('unavailable twice: repeated as the SDK repeats, billed once', async (t) => {
    const { e, generate } = await start(t, { faults: [{ times: 2, do: { status: 503 } }] });
    const r = await generate({ format: 'IMG_FORMAT_BASE64' });
    looks([bytes(r.images[0])], 'png', 1024, 1024);
    await e.billed(3, { images: 1, ticks: price.image });
  });
});
