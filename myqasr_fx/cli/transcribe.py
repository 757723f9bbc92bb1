"""``myqasr transcribe``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from rich.console import Group
from rich.text import Text
from typer import Argument, Option

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.progress import RichProgress

Bundle = Annotated[Path, Argument(metavar="BUNDLE", help="Folder that `myqasr quantize` wrote.", show_default=False)]
Recordings = Annotated[list[Path], Argument(metavar="AUDIO...", help="Files or folders.", show_default=False)]
Language = Annotated[str | None, Option("--language", help="Its language, such as de.", show_default="detect")]


def transcribe(
    bundle: Bundle,
    audio: Recordings,
    *,
    language: Language = None,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Write down what is said in recordings, with onnxruntime."""
    from myqasr_fx.audio import find_audio
    from myqasr_fx.runtime import load_bundle

    files = find_audio(audio)
    runtime = load_bundle(bundle)
    transcripts = []
    with RichProgress().stage("transcribe", len(files)) as advance:
        for file in files:
            transcripts.append(runtime.transcribe(file, language))
            advance(1)
    heard = list(zip(files, transcripts, strict=True))
    data = [{"audio": str(f), "text": t.text, "seconds": t.seconds, "language": t.language} for f, t in heard]
    lines = [Text(t.text if len(files) == 1 else f"{f}: {t.text}") for f, t in heard]
    return Answer({"bundle": str(bundle), "transcripts": data}, Group(*lines))
