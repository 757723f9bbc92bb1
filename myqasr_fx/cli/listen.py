"""``myqasr listen``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from myqasr_fx.cli.answer import Answer, DebugFlag, on_terminal, say
from myqasr_fx.cli.context import ContextOption, FallbackFlag
from myqasr_fx.cli.decoding import KeepLoops, Task, redraws_of
from myqasr_fx.cli.sound import from_microphone, from_standard_input
from myqasr_fx.cli.transcribe import Bundle, KeepGraphs, Language
from myqasr_fx.cli.visible import visible
from myqasr_fx.errors import OptionError

if TYPE_CHECKING:
    from myqasr_fx.runtime import Heard

_CLEAR = "\r\x1b[2K"
"""To the begin of the line, which is emptied."""

Source = Annotated[
    str | None,
    Argument(
        metavar="SOURCE",
        help="- : 16-bit little-endian samples at 16 kHz, one channel, on standard input; else the microphone.",
        show_default=False,
    ),
]
Every = Annotated[float, Option("--every", help="Seconds of sound before the next partial text.")]
Pause = Annotated[float, Option("--pause", help="Seconds in which nobody speaks that end a phrase.")]
Device = Annotated[
    str | None, Option("--device", help="Microphone: a part of its name, or its number.", show_default=False)
]
JsonLines = Annotated[
    bool, Option("--json", help="Print a JSON object a line, of partial texts too: start, end, text, final.")
]


def listen(
    bundle: Bundle,
    source: Source = None,
    *,
    language: Language = None,
    task: Task = "transcribe",
    every: Every = 1.0,
    pause: Pause = 0.6,
    device: Device = None,
    context: ContextOption = None,
    fallback: FallbackFlag = True,
    keep_loops: KeepLoops = False,
    keep_graphs: KeepGraphs = None,
    as_json: JsonLines = False,
    debug: DebugFlag = False,
) -> Answer | None:
    """Write down what is said while it is said: partial texts on a terminal, a line for each phrase; Ctrl-C ends."""
    from myqasr_fx.runtime import Decoding, Listener, OrtSettings, load_bundle, with_context, with_decoding

    if source not in (None, "-"):
        raise OptionError(f"source {source!r}", hint="- is standard input; myqasr transcribe takes files")
    if source == "-" and device is not None:
        raise OptionError("--device beside standard input", hint="leave out - to hear a microphone, or --device")
    blocks = from_microphone(device) if source is None else from_standard_input()
    decoding = Decoding(task, redraws=redraws_of(fallback=False, keep=keep_loops))
    loaded = load_bundle(bundle, OrtSettings(kept=keep_graphs))
    runtime = with_decoding(with_context(loaded, context, fallback=fallback), decoding)
    listener = Listener(runtime, language, every=every, pause=pause, partial=as_json or on_terminal())
    try:
        for block in blocks:
            _tell(listener.feed(block), as_json)
    except KeyboardInterrupt:
        if source is not None:
            raise
    _tell(listener.finish(), as_json)
    return None


def _tell(found: Iterable[Heard], as_json: bool) -> None:
    shows = on_terminal()
    for said in found:
        if as_json:
            told = {"start": round(said.start, 3), "end": round(said.end, 3), "text": said.text, "final": said.final}
            say(json.dumps(told) + "\n")
        elif said.final:
            say(f"{_CLEAR if shows else ''}{visible(said.text)}\n")
        elif shows:
            say(_CLEAR + _last(visible(said.text)))


def _last(text: str) -> str:
    """As much of the end of a text as a line holds."""
    return text[1 - get_terminal_size().columns :]
