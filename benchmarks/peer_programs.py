r"""Other systems: conversion of weights to their files, and transcription. Runs in an environment of its own.

    python -m venv venv-peers && venv-peers/bin/pip install -r benchmarks/requirements-peers.txt

``peers.py`` calls this file there, one command a process:

    peer_programs.py ctranslate2 VARIABLES.npz INFO.json OUT
    peer_programs.py ggml WEIGHTS.npz INFO.json OUT TYPE
    peer_programs.py nncf FLOAT.onnx OUT.onnx MODE
    peer_programs.py transcribe SYSTEM MODEL CLIPS.jsonl OUT.jsonl THREADS
    peer_programs.py time SYSTEM MODEL CLIPS.jsonl THREADS

``CLIPS.jsonl`` has ``audio``, ``samples`` (an ``.npy`` of float32 at 16 kHz) and ``lang`` a line; ``OUT.jsonl`` gets
``audio`` and ``text``. Everybody decodes greedily at temperature 0 without fallback, without timestamps, without text
of an earlier window, and with non-speech tokens suppressed. SYSTEM is ``faster-whisper``, ``faster-whisper-batched``
(its batched pipeline, eight parts of a recording together), ``whisper.cpp``, or ``whisper.cpp-short`` (its
``audio_ctx``: the clip and 128 frames).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ggml_file import write_ggml

WARM_SAMPLES = 30 * 16_000
"""That a system hears before it is timed, at most."""

Transcriber = Callable[[np.ndarray, str], str]


def convert_ctranslate2(variables: str, info: str, out: str) -> None:
    """Writes CTranslate2's int8 folder with its own quantizer."""
    from ctranslate2.specs import WhisperSpec, model_spec

    described = json.loads(Path(info).read_text(encoding="utf-8"))
    sizes = described["config"]
    layers = (sizes["encoder_layers"], sizes["encoder_attention_heads"])
    spec = WhisperSpec(*layers, sizes["decoder_layers"], sizes["decoder_attention_heads"])
    with np.load(variables) as arrays:
        for name in arrays:
            scope, _, key = name.rpartition("/")
            value = arrays[name]
            wide = value.astype(np.float32) if value.dtype == np.float16 else value
            setattr(model_spec.index_spec(spec, scope) if scope else spec, key, wide[()])
    spec.register_vocabulary(described["tokens"])
    spec.validate()
    spec.optimize(quantization="int8")
    Path(out).mkdir(parents=True, exist_ok=True)
    spec.save(out)
    for name in ("config.json", "tokenizer.json"):
        (Path(out) / name).write_bytes(Path(described["ctranslate2"][name]).read_bytes())


def convert_ggml(weights: str, info: str, out: str, kind: str) -> None:
    """Writes a file for whisper.cpp."""
    described = json.loads(Path(info).read_text(encoding="utf-8"))
    with np.load(weights) as arrays:
        write_ggml(Path(out), {name: arrays[name] for name in arrays}, described, kind)


def compress_nncf(source: str, out: str, mode: str) -> None:
    """Compresses the weights of an ONNX file."""
    import nncf
    import onnx

    settings: dict[str, Any] = {"mode": nncf.CompressWeightsMode(mode)}
    if mode.startswith("int4"):
        # Embeddings and the last layer stay at NNCF's default of int8: onnxruntime refuses its int4 embedding.
        settings |= {"group_size": 64, "ratio": 1.0}
    scope = nncf.IgnoredScope(types=["Conv"], validate=False)  # onnxruntime refuses its compressed convolutions
    onnx.save(nncf.compress_weights(onnx.load(source), ignored_scope=scope, **settings), out)


def transcribe(system: str, model: str, clips: str, out: str, threads: str) -> None:
    """Transcribes clips one by one and appends to ``out``, whose clips are not done again."""
    path = Path(out)
    done = {json.loads(line)["audio"] for line in path.read_text("utf-8").splitlines()} if path.exists() else set()
    wanted = [
        clip for clip in map(json.loads, Path(clips).read_text("utf-8").splitlines()) if clip["audio"] not in done
    ]
    run = SYSTEMS[system](model, int(threads))
    with path.open("a", encoding="utf-8") as file:
        for clip in wanted:
            text = run(np.load(clip["samples"]), clip["lang"])
            file.write(json.dumps({"audio": clip["audio"], "text": text}, ensure_ascii=False) + "\n")
            file.flush()


def time_clips(system: str, model: str, clips: str, threads: str) -> None:
    """Prints how many seconds all clips take, once one has warmed the system up, and its memory."""
    run = SYSTEMS[system](model, int(threads))
    listed = read_lines(Path(clips))
    run(np.load(listed[0]["samples"])[:WARM_SAMPLES], listed[0]["lang"])
    start = time.perf_counter()
    for clip in listed:
        run(np.load(clip["samples"]), clip["lang"])
    seconds = time.perf_counter() - start
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"seconds": seconds, "resident_mb": resident}))


def read_lines(path: Path) -> list[dict[str, str]]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def faster_whisper(model: str, threads: int) -> Transcriber:
    """CTranslate2 through faster-whisper."""
    from faster_whisper import WhisperModel

    loaded = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=threads, num_workers=1)

    def run(samples: np.ndarray, language: str) -> str:
        segments, _ = loaded.transcribe(
            samples,
            language=language,
            beam_size=1,
            best_of=1,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
            compression_ratio_threshold=None,
            log_prob_threshold=None,
            no_speech_threshold=None,
        )
        return " ".join(segment.text.strip() for segment in segments)

    return run


def faster_whisper_batched(model: str, threads: int) -> Transcriber:
    """faster-whisper's batched pipeline, which cuts a recording at pauses that it finds itself."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    loaded = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=threads, num_workers=1)
    pipeline = BatchedInferencePipeline(loaded)

    def run(samples: np.ndarray, language: str) -> str:
        segments, _ = pipeline.transcribe(
            samples, language=language, beam_size=1, best_of=1, temperature=0.0, without_timestamps=True, batch_size=8
        )
        return " ".join(segment.text.strip() for segment in segments)

    return run


def whisper_cpp(model: str, threads: int, *, short: bool = False) -> Transcriber:
    """whisper.cpp through pywhispercpp.

    Args:
        model: File.
        threads: At most.
        short: The encoder hears a clip and 128 frames, not 30 s.
    """
    from pywhispercpp.model import Model

    loaded = Model(
        model,
        redirect_whispercpp_logs_to=None,
        n_threads=threads,
        temperature=0.0,
        temperature_inc=0.0,
        greedy={"best_of": 1},
        no_timestamps=True,
        no_context=True,
        suppress_nst=True,
        no_speech_thold=1.0,
        print_progress=False,
        print_timestamps=False,
    )

    def run(samples: np.ndarray, language: str) -> str:
        frames = min(1500, -(-len(samples) // 320) + 128) if short else 0
        alone = len(samples) <= WARM_SAMPLES
        said = loaded.transcribe(samples, language=language, audio_ctx=frames, single_segment=alone)
        return " ".join(segment.text.strip() for segment in said)

    return run


SYSTEMS: dict[str, Callable[[str, int], Transcriber]] = {
    "faster-whisper": faster_whisper,
    "faster-whisper-batched": faster_whisper_batched,
    "whisper.cpp": whisper_cpp,
    "whisper.cpp-short": partial(whisper_cpp, short=True),
}

COMMANDS: dict[str, Callable[..., None]] = {
    "ctranslate2": convert_ctranslate2,
    "ggml": convert_ggml,
    "nncf": compress_nncf,
    "transcribe": transcribe,
    "time": time_clips,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
