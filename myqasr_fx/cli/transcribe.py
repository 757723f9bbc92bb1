"""``myqasr transcribe``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from typer import Argument, Option

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.visible import shown, visible
from myqasr_fx.errors import AudioError
from myqasr_fx.process.progress import RichProgress

Bundle = Annotated[Path, Argument(metavar="BUNDLE", help="Folder that `myqasr quantize` wrote.", show_default=False)]
Recordings = Annotated[list[Path], Argument(metavar="AUDIO", help="Files or folders.", show_default=False)]
Language = Annotated[str | None, Option("--language", help="Its language, such as de.", show_default="detect")]


def transcribe(
    bundle: Bundle,
    audio: Recordings,
    *,
    language: Language = None,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Write down what is said in recordings, with onnxruntime; recordings that cannot be used are passed over."""
    from myqasr_fx.audio import find_audio, no_usable_audio
    from myqasr_fx.runtime import load_bundle

    files = find_audio(audio)
    runtime = load_bundle(bundle)
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
    data = [{"audio": str(f), "text": t.text, "seconds": t.seconds, "language": t.language} for f, t in heard]
    lines = [shown(t.text if len(files) == 1 else f"{f}: {t.text}") for f, t in heard]
    return Answer({"bundle": str(bundle), "transcripts": data, "rejected": rejected}, Group(*lines))
