"""The demonstration: a built-in model, recordings that a package ships, and the same bytes spent in two ways."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from myqasr_fx import pipeline
from myqasr_fx.audio import Clip, load_audio
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.contents import BUNDLE
from myqasr_fx.bundle.output_folder import check_target
from myqasr_fx.bundle.temporary_folder import temporary_folder
from myqasr_fx.cli.demo_rivals import BITS, FULL, INT8, ONE_WIDTH, make_rivals
from myqasr_fx.errors import AudioError
from myqasr_fx.evaluate import ErrorCount, normalize, word_errors
from myqasr_fx.models.builtin import PackagedFile
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import prepare
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.progress import Progress
from myqasr_fx.runtime import Decoding, Runtime, load_bundle, with_decoding
from myqasr_fx.web.page import LAYOUT

MODEL = "whisper-tiny.en"
BUDGET = "24MB"
"""Of the page for a browser, and of the command that the demonstration ends with."""

OURS = "quantized"

_SPEECH = "moonshine-voice==0.1.5"
_CALIBRATION = (
    PackagedFile(
        _SPEECH,
        "moonshine_voice/assets/two_cities.wav",
        "f3348494d77cb74a02862f5e685ed09faf3e75832c5cc5c80703282c2cd8b52e",
    ),
    PackagedFile(
        _SPEECH,
        "moonshine_voice/assets/endgame_nagg_nell.wav",
        "78f44dc6d3da32ecab0c37f391700f0569f4612b8e0be2ecbaf33e1d3d566474",
    ),
)
_UNHEARD = (
    PackagedFile(
        _SPEECH,
        "moonshine_voice/assets/beckett.wav",
        "e5a26b3d29e5b0bc8dbd72c11d16a3808a4ec0ac45b21f12a27d2a2fe5c5ae61",
    ),
    PackagedFile(
        _SPEECH,
        "moonshine_voice/assets/clone-test.wav",
        "ff0313f1b99468ac425304ba7f8deada003efbada014863a475cb8bda87a6191",
    ),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one model wrote down.

    Args:
        bytes: Of its files.
        texts: One a recording.
        differing: Words that differ from those at full precision, left out and added ones among them.
        seconds: Of work for all recordings.
    """

    bytes: int
    texts: tuple[str, ...]
    differing: int
    seconds: float


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What every model heard in recordings that none was calibrated on.

    Args:
        calibrated: Names of the recordings that the bundle was made for.
        recordings: Those that were heard.
        audio_seconds: Of these.
        words: In them, at full precision.
        bits: Of the model with one width for all layers.
        readings: By name of the model: ``full_precision``, ``onnxruntime_int8``, ``one_width`` and ``quantized``.
        bundle: Where it is and what is in it.
    """

    calibrated: tuple[str, ...]
    recordings: tuple[Path, ...]
    audio_seconds: float
    words: int
    bits: int
    readings: Mapping[str, Reading]
    bundle: QuantizedBundle


def run_demo(out: Path, progress: Progress, *, force: bool = False) -> DemoResult:
    """Quantizes the built-in model for two recordings in several ways and lets every model write down two others.

    Args:
        out: Where the bundle goes; it takes no more bytes than one width for all layers does.
        progress: Told about every stage.
        force: Replace an existing bundle.

    Raises:
        MyqasrError: A package of the ``demo`` extra is missing, or ``out`` cannot be written.
    """
    calibration, unheard = _locate(_CALIBRATION), _locate(_UNHEARD)
    check_target(out, force, BUNDLE)
    with progress.stage("load model"):
        model = load_model(MODEL)
    with progress.stage("capture graphs"):
        prepared = prepare(model)
    with temporary_folder("myqasr-demo-") as work:
        rivals = make_rivals(prepared, calibration, work, progress)
        config = resolve_config(rivals.bytes(ONE_WIDTH), effort="fast", cache=work / "cache")
        bundle = pipeline.quantize(prepared, calibration, out=out, config=config, force=force, progress=progress)
        loaded = {name: rivals.load(name) for name in (FULL, INT8, ONE_WIDTH)} | {OURS: load_bundle(out)}
        runtimes = {name: with_decoding(runtime, Decoding()) for name, runtime in loaded.items()}
        clips = [load_audio(path) for path in unheard]
        texts, seconds = hear(runtimes, clips, progress)
    return DemoResult(
        calibrated=tuple(path.name for path in calibration),
        recordings=tuple(unheard),
        audio_seconds=sum(clip.seconds for clip in clips),
        words=sum(_differing(text, text).total for text in texts[FULL]),
        bits=BITS,
        readings={
            name: Reading(runtime.model_bytes, texts[name], _all_differing(texts[FULL], texts[name]), seconds[name])
            for name, runtime in runtimes.items()
        },
        bundle=bundle,
    )


def hear(
    runtimes: Mapping[str, Runtime], clips: Sequence[Clip], progress: Progress
) -> tuple[dict[str, tuple[str, ...]], dict[str, float]]:
    """Texts and seconds of every model, once the shortest clip has warmed it up.

    Args:
        runtimes: By name.
        clips: Recordings.
        progress: Told about every model.
    """
    texts: dict[str, tuple[str, ...]] = {}
    seconds: dict[str, float] = {}
    shortest = min(clips, key=lambda clip: clip.seconds)
    with progress.stage("transcribe", len(runtimes)) as advance:
        for name, runtime in runtimes.items():
            runtime.transcribe(shortest.samples)
            start = time.perf_counter()
            texts[name] = tuple(runtime.transcribe(clip.samples).text.strip() for clip in clips)
            seconds[name] = time.perf_counter() - start
            advance(1)
    return texts, seconds


def make_web_bundle(out: Path, progress: Progress, *, force: bool = False) -> QuantizedBundle:
    """Quantizes the built-in model as :func:`run_demo` does, in the layout that a browser reads."""
    config = resolve_config(BUDGET, effort="fast", layout=LAYOUT)
    return pipeline.quantize(MODEL, _locate(_CALIBRATION), out=out, config=config, force=force, progress=progress)


def _locate(files: tuple[PackagedFile, ...]) -> tuple[Path, ...]:
    paths = [(file, file.locate()) for file in files]
    missing = [file.distribution for file, path in paths if path is None]
    if missing:
        raise AudioError("the demonstration's recordings are not installed", hint=f"run pip install {missing[0]}")
    return tuple(file.verify(path) for file, path in paths if path is not None)


def _differing(full: str, text: str) -> ErrorCount:
    return word_errors(normalize(full, "en"), normalize(text, "en"))


def _all_differing(full: Sequence[str], texts: Sequence[str]) -> int:
    return sum(_differing(*pair).errors for pair in zip(full, texts, strict=True))
