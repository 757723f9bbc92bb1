// Records or opens sound, hands its samples to the worker and shows what it writes.
const RATE = 16000;
const $ = (id) => document.getElementById(id);
const get = async (path) => (await fetch(path)).json();
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const seconds = (value) => `${value.toFixed(1)} s`;

const state = (name, text) => {
  document.body.dataset.state = name;
  $('status').textContent = text;
  const free = name === 'ready' || name === 'done';
  $('record').disabled = !free && name !== 'recording';
  $('file').disabled = !free;
  $('label').textContent = name === 'recording' ? 'Stop' : 'Record';
};

const [bundle, versions] = await Promise.all([get('bundle/myqasr.json'), get('js/versions.json')]);
$('model').textContent = bundle.model;
$('bytes').textContent = megabytes(bundle.model_bytes);
$('bits').textContent = `${bundle.file_bits_per_weight.toFixed(2)} bits a weight`;
$('versions').textContent = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ');

const worker = new Worker('worker.js', { type: 'module' });
worker.onerror = (event) => state('error', event.message || 'the worker does not start');
worker.onmessage = ({ data }) => answers[data.kind](data);
let busy = null; // clock of what is going on

const answers = {
  progress: ({ bytes }) => {
    $('progress').value = bytes / bundle.model_bytes;
    state('loading', `Loading: ${megabytes(bytes)} of ${megabytes(bundle.model_bytes)}`);
  },
  ready: (ready) => {
    $('progress').hidden = true;
    $('loaded').textContent = seconds(ready.seconds);
    $('engine').textContent = `WebAssembly, ${ready.threads === 1 ? 'one thread' : `${ready.threads} threads`}`;
    state('ready', 'Say something, open a recording, or drop one here.');
  },
  text: ({ text, seconds: work, audio }) => {
    clearInterval(busy);
    $('text').textContent = text || '(nothing heard)';
    $('speed').textContent = `${(audio / work).toFixed(1)}× real time`;
    $('seconds').textContent = `${seconds(audio)} of sound in ${seconds(work)}`;
    state('done', 'Done.');
  },
  error: ({ message }) => {
    clearInterval(busy);
    $('progress').hidden = true;
    state('error', message);
  },
};

function every(text) {
  const start = performance.now();
  const show = () => ($('status').textContent = `${text} ${seconds((performance.now() - start) / 1000)}`);
  clearInterval(busy);
  busy = setInterval(show, 100);
}

async function hear(blob) {
  state('working', 'Reading');
  let samples;
  try {
    samples = mono(await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await blob.arrayBuffer()));
  } catch {
    return state('ready', 'This browser cannot read that file as sound.');
  }
  if (samples.length < RATE / 10) return state('ready', 'That was too short.');
  if ($('player').src) URL.revokeObjectURL($('player').src);
  $('player').src = URL.createObjectURL(blob);
  $('player').hidden = false;
  draw(samples);
  every('Listening');
  worker.postMessage(samples, [samples.buffer]);
}

// decodeAudioData resamples to the context's rate; the channels are averaged here.
function mono(sound) {
  const mixed = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel++) {
    sound.getChannelData(channel).forEach((value, index) => (mixed[index] += value / sound.numberOfChannels));
  }
  return mixed;
}

function draw(samples) {
  const canvas = $('wave');
  const pen = canvas.getContext('2d');
  const bars = 160;
  const [step, middle] = [canvas.width / bars, canvas.height / 2];
  const peaks = Array.from({ length: bars }, (_, bar) => {
    let peak = 0;
    const end = Math.floor(((bar + 1) * samples.length) / bars);
    for (let index = Math.floor((bar * samples.length) / bars); index < end; index++) {
      peak = Math.max(peak, Math.abs(samples[index]));
    }
    return peak;
  });
  const loudest = Math.max(...peaks, 1e-6);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = getComputedStyle(canvas).color;
  peaks.forEach((peak, bar) => {
    const height = Math.max(3, (peak / loudest) * canvas.height);
    pen.fillRect(bar * step + step / 4, middle - height / 2, step / 2, height);
  });
}

let recorder = null;

async function record() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  } catch (error) {
    return state('ready', `No microphone: ${error.message}`);
  }
  const parts = [];
  recorder = new MediaRecorder(stream);
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.onstop = () => {
    stream.getTracks().forEach((track) => track.stop());
    hear(new Blob(parts, { type: recorder.mimeType }));
  };
  recorder.start();
  state('recording', '');
  every('Recording');
}

$('record').onclick = () => (document.body.dataset.state === 'recording' ? recorder.stop() : record());
$('file').onchange = ({ target }) => {
  if (target.files.length) hear(target.files[0]);
  target.value = '';
};
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => {
  event.preventDefault();
  if (!$('file').disabled && event.dataTransfer.files.length) hear(event.dataTransfer.files[0]);
};
