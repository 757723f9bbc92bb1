// Prints versions and transcripts of recordings (raw float32 samples at 16 kHz) as JSON.
// Usage: node transformers_js_client.mjs NODE_MODULES BUNDLE SAMPLES…
// The bundle's own config.json tells the dtype; no option but "offline" is given. "between" holds what it hears when its
// onnxruntime is told to keep the activations beside narrow weights in float.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, bundle, ...recordings] = process.argv.slice(2);
const require = createRequire(resolve(modules, 'here.js'));
const { env, pipeline } = await import(pathToFileURL(require.resolve('@huggingface/transformers')));
env.allowRemoteModels = false;

async function hear(options) {
    const transcribe = await pipeline('automatic-speech-recognition', resolve(bundle), options);
    const texts = [];
    for (const path of recordings) {
        const bytes = readFileSync(path);
        const samples = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
        texts.push((await transcribe(samples)).text.trim());
    }
    return texts;
}
const texts = await hear({});
const exact = { session_options: { extra: { session: { qdq_matmulnbits_accuracy_level: '1' } } } };
const between = await hear(exact);
const packages = ['@huggingface/transformers', 'onnxruntime-node'];
const version = (name) => JSON.parse(readFileSync(resolve(modules, name, 'package.json'))).version;
const versions = Object.fromEntries(packages.map((name) => [name, version(name)]));
console.log(JSON.stringify({ versions, texts, between }));
