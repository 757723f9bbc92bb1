// Loads the bundle beside it and transcribes what the page sends: samples at 16 kHz.
import { env, pipeline } from './js/transformers.min.js';

const here = (path) => new URL(path, self.location).href;
const RATE = 16000;
const LONGEST = 30; // seconds that a model hears at once

env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = new URL('.', self.location).pathname; // of a whole address it finds no tokenizer
env.useBrowserCache = false; // it would outlive a bundle that is replaced under the same address
env.useWasmCache = false;
env.backends.onnx.wasm.wasmPaths = {
  mjs: here('js/ort-wasm-simd-threaded.mjs'),
  wasm: here('js/ort-wasm-simd-threaded.wasm'),
};

// The library's own progress reads every file twice.
let bytes = 0;
env.fetch = async (address, options) => {
  const answer = await fetch(address, options);
  if (!answer.ok || !String(address).includes('.onnx')) return answer;
  const counted = new TransformStream({
    transform(chunk, rest) {
      bytes += chunk.length;
      postMessage({ kind: 'progress', bytes });
      rest.enqueue(chunk);
    },
  });
  return new Response(answer.body.pipeThrough(counted), answer);
};

async function load() {
  const start = performance.now();
  const transcribe = await pipeline('automatic-speech-recognition', 'bundle', { device: 'wasm' });
  const threads = self.crossOriginIsolated ? env.backends.onnx.wasm.numThreads || navigator.hardwareConcurrency : 1;
  postMessage({ kind: 'ready', seconds: (performance.now() - start) / 1000, threads });
  return transcribe;
}

const loading = load();
loading.catch((error) => postMessage({ kind: 'error', message: String(error?.message ?? error) }));

self.onmessage = async ({ data: samples }) => {
  try {
    const transcribe = await loading;
    const windows = samples.length > LONGEST * RATE ? { chunk_length_s: LONGEST, stride_length_s: 5 } : {};
    const start = performance.now();
    const { text } = await transcribe(samples, windows);
    const seconds = (performance.now() - start) / 1000;
    postMessage({ kind: 'text', text: text.trim(), seconds, audio: samples.length / RATE });
  } catch (error) {
    postMessage({ kind: 'error', message: String(error?.message ?? error) });
  }
};
