"""``myqasr transcribe``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from typer import Argument, Option

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.no_speech import (
    CompressionRatioThreshold,
    LogprobThreshold,
    NoSpeechThreshold,
    VadThreshold,
    thresholds,
)
from myqasr_fx.cli.visible import shown, visible
from myqasr_fx.errors import AudioError
from myqasr_fx.process.progress import RichProgress

Bundle = Annotated[Path, Argument(metavar="BUNDLE", help="Folder that `myqasr quantize` wrote.", show_default=False)]
Recordings = Annotated[list[Path], Argument(metavar="AUDIO", help="Files or folders.", show_default=False)]
Language = Annotated[
    str | None, Option("--language", help="Its language, such as de or German.", show_default="detect")
]


def transcribe(
    bundle: Bundle,
    audio: Recordings,
    *,
    language: Language = None,
    no_speech_threshold: NoSpeechThreshold = None,
    logprob_threshold: LogprobThreshold = None,
    compression_ratio_threshold: CompressionRatioThreshold = None,
    vad_threshold: VadThreshold = None,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Write down what is said in recordings, with onnxruntime; recordings that cannot be used are passed over."""
    from myqasr_fx.audio import no_usable_audio
    from myqasr_fx.runtime import load_bundle, with_thresholds

    files = _files(bundle, audio)
    bounds = thresholds(no_speech_threshold, logprob_threshold, compression_ratio_threshold, vad_threshold)
    runtime = with_thresholds(load_bundle(bundle), bounds)
    heard, failures = [], []
    with RichProgress().stage("transcribe", len(files)) as advance:
        for file in files:
            try:
                heard.append((file, runtime.transcribe(file, language)))
            except AudioError as error:
                failures.append(error)
            advance(1)
    rejected = [error.message for error in failures]
    if not heard:
        raise failures[0] if len(failures) == 1 else no_usable_audio(rejected)
    for reason in rejected:
        typer.echo(visible(f"not used: {reason}"), err=True)
    for file, said in heard:
        if said.note:
            typer.echo(visible(f"{file}: {said.note}"), err=True)
    told = ("text", "seconds", "language", "no_speech", "no_speech_probability", "log_probability", "compression_ratio")
    data = [{"audio": str(f), **{name: getattr(t, name) for name in told}, "note": t.note} for f, t in heard]
    texts = [(f, "(no speech)" if t.no_speech else t.text) for f, t in heard]
    lines = [shown(text if len(files) == 1 else f"{f}: {text}") for f, text in texts]
    return Answer({"bundle": str(bundle), "transcripts": data, "rejected": rejected}, Group(*lines))


def _files(bundle: Path, audio: list[Path]) -> tuple[Path, ...]:
    """The recordings; where they are not there and the bundle is none either, that is told, which stands first."""
    from myqasr_fx.audio import find_audio
    from myqasr_fx.bundle.bundle import QuantizedBundle

    try:
        return find_audio(audio)
    except AudioError:
        QuantizedBundle.open(bundle)
        raise
