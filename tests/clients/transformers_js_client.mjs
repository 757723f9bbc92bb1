// Prints versions and transcripts of recordings (raw float32 samples at 16 kHz) as JSON.
// Usage: node transformers_js_client.mjs NODE_MODULES BUNDLE SAMPLES…
// A bundle of its layout says all in config.json; one of Optimum's has its files elsewhere, which two options tell.
// Beside NAME.f32 it writes NAME.features, the model's input as the client computes it, raw float32.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, bundle, ...recordings] = process.argv.slice(2);
const require = createRequire(resolve(modules, 'here.js'));
const { env, pipeline } = await import(pathToFileURL(require.resolve('@huggingface/transformers')));
env.allowRemoteModels = false;

const options = existsSync(resolve(bundle, 'onnx')) ? {} : { subfolder: '', dtype: 'fp32' };
const transcribe = await pipeline('automatic-speech-recognition', resolve(bundle), options);
const texts = [];
for (const path of recordings) {
    const bytes = readFileSync(path);
    const samples = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    const inputs = await transcribe.processor(samples);
    writeFileSync(path.replace(/\.f32$/, '.features'), (inputs.input_features ?? inputs.input_values).data);
    texts.push((await transcribe(samples)).text.trim());
}
const packages = ['@huggingface/transformers', 'onnxruntime-node'];
const version = (name) => JSON.parse(readFileSync(resolve(modules, name, 'package.json'))).version;
console.log(JSON.stringify({ versions: Object.fromEntries(packages.map((name) => [name, version(name)])), texts }));
