// Answers pictures with @vladmandic/human (default settings, WebAssembly), for `mairror evaluate --rivals`.
//
//   node answer.js FOLDER     FOLDER holds the node_modules made from the package-lock.json beside this file
//
// Standard input, for every picture: three little-endian uint32 (mode, height, width), then height * width * 3 bytes
// RGB. Standard output: one line of JSON for each, {"faces": [{"box": [x, y, width, height], "age": years}]}.
// Mode 0 finds faces and answers each. Mode 1 takes the whole picture for the face, without looking for one.
// Nothing is fetched from a network: models are read from the package.

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');

const folder = path.resolve(process.argv[2]);
const load = createRequire(path.join(folder, 'package.json'));
console.log = console.error; // the library reports there what must not come between the answers

const models = path.join(folder, 'node_modules', '@vladmandic', 'human', 'models');
const binaries = path.join(folder, 'node_modules', '@tensorflow', 'tfjs-backend-wasm', 'dist');

// TensorFlow.js reads models with fetch only; this one reads files and nothing else.
globalThis.fetch = async (address) => {
  const url = new URL(String(address));
  if (url.protocol !== 'file:') throw new Error(`not fetched: ${url}`);
  return new Response(fs.readFileSync(url), { status: 200 });
};

const config = {
  backend: 'wasm',
  wasmPath: `${binaries}/`,
  modelBasePath: `file://${models}/`,
  cacheSensitivity: 0, // a new picture is never the last one
  skipAllowed: false,
  debug: false,
  filter: { enabled: false }, // has no effect on tensors
  gesture: { enabled: false },
  hand: { enabled: false },
  body: { enabled: false },
  object: { enabled: false },
  segmentation: { enabled: false },
  face: {
    enabled: true,
    description: { enabled: true, skipFrames: 0, skipTime: 0 },
    detector: { skipFrames: 0, skipTime: 0, maxDetected: 5 },
    // neither has a part in the age
    iris: { enabled: false },
    emotion: { enabled: false },
    antispoof: { enabled: false },
    liveness: { enabled: false },
  },
};

async function start() {
  const tf = load('@tensorflow/tfjs-core');
  load('@tensorflow/tfjs-converter');
  const wasm = load('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(config.wasmPath);
  await tf.setBackend('wasm');
  await tf.ready();
  const { Human } = load(path.join(folder, 'node_modules', '@vladmandic', 'human', 'dist', 'human.node-wasm.js'));
  const human = new Human(config);
  await human.load();
  const description = await load('@tensorflow/tfjs-converter').loadGraphModel(`file://${models}/faceres.json`);
  return { tf, human, description };
}

async function found({ tf, human }, pixels) {
  const tensor = tf.expandDims(pixels, 0);
  const result = await human.detect(tensor);
  tf.dispose(tensor);
  if (result.error) throw new Error(result.error);
  return result.face.map((face) => ({ box: face.box, age: face.age ?? 0 })); // an age of 0 is left out by the library
}

// The library has no way to say "this is the face", so its age model is asked directly, and its output is read as the
// library reads it: the most likely bin, moved towards the likelier neighbour by that one's probability.
function whole({ tf, description }, pixels) {
  const [height, width] = pixels.shape;
  const side = Math.min(height, width);
  const bins = tf.tidy(() => {
    const square = tf.slice(pixels, [(height - side) >> 1, (width - side) >> 1, 0], [side, side, 3]);
    const input = tf.image.resizeBilinear(tf.expandDims(tf.cast(square, 'float32'), 0), [224, 224]);
    const outputs = [description.execute(input)].flat();
    return Array.from(outputs.find((one) => one.shape[1] === 100).dataSync());
  });
  const best = bins.indexOf(Math.max(...bins));
  const [below, above] = [bins[best - 1] ?? 0, bins[best + 1] ?? 0];
  return [{ box: [0, 0, width, height], age: below > above ? best - 10 * below : best + 10 * above }];
}

async function main() {
  const parts = await start();
  const { tf } = parts;
  let waiting = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    waiting = waiting.length ? Buffer.concat([waiting, chunk]) : chunk;
    while (waiting.length >= 12) {
      const [mode, height, width] = [0, 4, 8].map((at) => waiting.readUInt32LE(at));
      const end = 12 + height * width * 3;
      if (waiting.length < end) break;
      const pixels = tf.tensor3d(new Uint8Array(waiting.subarray(12, end)), [height, width, 3], 'int32');
      waiting = waiting.subarray(end);
      const faces = mode === 1 ? whole(parts, pixels) : await found(parts, pixels);
      tf.dispose(pixels);
      process.stdout.write(`${JSON.stringify({ faces })}\n`);
    }
  }
}

main().catch((error) => {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.exit(1);
});
