// The jobs of internal/bench/pixels.go as sharp does them, in one thread and
// without its cache: node sharp.js JOB in the folder of the photographs. It
// prints the CPU time of one run, as imgbuild's side does.
import { readFile, writeFile } from 'node:fs/promises'
import sharp from 'sharp'

sharp.concurrency(1)
sharp.cache(false)

const widths = [320, 640, 1280, 1792]

// set makes every width from the bytes of one picture, as the documentation of
// sharp shows it.
async function set(b, webp) {
  let bytes = 0
  for (const width of widths) {
    bytes += (await sharp(b).resize(width).jpeg({ quality: 80 }).toBuffer()).length
    if (webp) bytes += (await sharp(b).resize(width).webp({ quality: 80, effort: 4 }).toBuffer()).length
  }
  return bytes
}

async function raw(file) {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  return sharp(data, { raw: info })
}

async function resize(file, width) {
  const p = await raw(file)
  return async () => (await p.clone().resize(width).raw().toBuffer()).length
}

// A job prepares, and returns what is repeated and gives bytes.
const jobs = {
  dimensions: async () => async () => (await sharp('large.png').metadata()).width,
  png: async () => {
    const p = await raw('small.png')
    return async () => (await p.clone().png().toBuffer()).length
  },
  jpeg: async () => {
    const p = await raw('small.png')
    return async () => {
      const b = await p.clone().jpeg({ quality: 80 }).toBuffer()
      await writeFile('jpeg-sharp.jpg', b)
      return b.length
    }
  },
  'decode-png': async () => async () => (await sharp('small.png').raw().toBuffer()).length,
  'decode-jpeg': async () => async () => (await sharp('small.jpg').raw().toBuffer()).length,
  'decode-progressive': async () => async () => (await sharp('progressive.jpg').raw().toBuffer()).length,
  'resize-small': () => resize('small.png', 640),
  'resize-large': () => resize('large.jpg', 1280),
  'scaled': async () => async () => {
    const b = await sharp('large.jpg').resize(1280).png({ compressionLevel: 1 }).toBuffer()
    await writeFile('scaled-sharp.png', b)
    return b.length
  },
  'small-set': async () => { const b = await readFile('small.png'); return () => set(b, false) },
  'small-set-webp': async () => { const b = await readFile('small.png'); return () => set(b, true) },
  'large-set': async () => { const b = await readFile('large.jpg'); return () => set(b, false) },
}

// progressive makes the one fixture that imgbuild can't write.
if (process.argv[2] === 'progressive') {
  await sharp('small.png').jpeg({ quality: 90, progressive: true }).toFile('progressive.jpg')
  process.exit(0)
}

const run = await jobs[process.argv[2]]()
const times = Number(process.argv[3])
let bytes = await run() // what is loaded once does not count
const before = process.cpuUsage()
for (let i = 0; i < times; i++) bytes = await run()
const { user, system } = process.cpuUsage(before)
console.log(`${Math.round((user + system) * 1000 / times)} ns each, ${bytes} bytes`)
