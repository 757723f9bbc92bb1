"""The demonstration: a built-in model, recordings that a package ships, and a budget."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from myqasr_fx import pipeline
from myqasr_fx.audio import load_audio
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import AudioError
from myqasr_fx.models.builtin import PackagedFile
from myqasr_fx.models.load import load_model
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.progress import Progress
from myqasr_fx.runtime import Runtime, load_bundle
from myqasr_fx.runtime.torch_runner import torch_runtime
from myqasr_fx.web.page import LAYOUT

MODEL = "whisper-tiny.en"
BUDGET = "24MB"

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
        texts: One a recording.
        bytes: Of the model: tensors in memory at full precision, files when quantized.
        rtf: Seconds of work a second of audio.
    """

    texts: tuple[str, ...]
    bytes: int
    rtf: float


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Both readings of the same recordings.

    Args:
        recordings: Names of the files.
        calibrated: How many of them, the first ones, the model was quantized for.
        full: Full precision.
        quantized: The bundle.
        bundle: Where it is and what is in it.
    """

    recordings: tuple[str, ...]
    calibrated: int
    full: Reading
    quantized: Reading
    bundle: QuantizedBundle


def run_demo(out: Path, progress: Progress, *, force: bool = False) -> DemoResult:
    """Quantizes the built-in model for two recordings and lets both models write down these and two more.

    Args:
        out: Where the bundle goes.
        progress: Told about every stage.
        force: Replace an existing bundle.

    Raises:
        MyqasrError: A package of the ``demo`` extra is missing, or ``out`` cannot be written.
    """
    calibration, unheard = _locate(_CALIBRATION), _locate(_UNHEARD)
    recordings = (*calibration, *unheard)
    with progress.stage("load model"):
        model = load_model(MODEL)
    config = resolve_config(BUDGET, effort="fast")
    bundle = pipeline.quantize(model, calibration, out=out, config=config, force=force, progress=progress)
    with progress.stage("capture graphs"):
        full = torch_runtime(model, model.capture())
    return DemoResult(
        recordings=tuple(path.name for path in recordings),
        calibrated=len(calibration),
        full=_read("transcribe at full precision", full, recordings, progress),
        quantized=_read("transcribe quantized", load_bundle(out), recordings, progress),
        bundle=bundle,
    )


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


def _read(stage: str, runtime: Runtime, recordings: tuple[Path, ...], progress: Progress) -> Reading:
    clips = [load_audio(path) for path in recordings]
    texts = []
    start = time.perf_counter()
    with progress.stage(stage, len(clips)) as advance:
        for clip in clips:
            texts.append(runtime.transcribe(clip.samples).text)
            advance(1)
    work = time.perf_counter() - start
    return Reading(tuple(texts), runtime.model_bytes, work / sum(clip.seconds for clip in clips))
