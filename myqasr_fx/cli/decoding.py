"""How a text is found: options of several commands, for Whisper."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from myqasr_fx.errors import OptionError

_PANEL = "How a text is found (Whisper only)"

Timestamps = Annotated[
    str | None,
    Option("--timestamps", help="Times as Whisper tells them: segment, or word.", show_default=False),
]
Task = Annotated[
    str,
    Option("--task", help=r"transcribe, or translate to English. \[default: transcribe]", show_default=False),
]
Beams = Annotated[
    int,
    Option(
        "--beams",
        help="Texts that are followed side by side; 1 takes the best token each step.",
        rich_help_panel=_PANEL,
    ),
]
TemperatureFallback = Annotated[
    bool,
    Option(
        "--temperature-fallback",
        help="Draw a doubtful text again at temperatures of 0.2 to 1, until one is not doubtful; the bounds are those "
        "below. A text that repeats itself is drawn again without this, too.",
        rich_help_panel=_PANEL,
    ),
]
KeepLoops = Annotated[
    bool,
    Option("--keep-loops", help="Draw no text again, not even one that repeats itself.", rich_help_panel=_PANEL),
]
Seed = Annotated[int, Option("--seed", help="Seed of what is drawn.", rich_help_panel=_PANEL)]


def redraws_of(fallback: bool, keep: bool) -> str:
    """Which texts are drawn again.

    Raises:
        OptionError: Both are asked for.
    """
    from myqasr_fx.runtime.decoding import DOUBTFUL, LOOPS, NEVER

    if fallback and keep:
        raise OptionError("--keep-loops: --temperature-fallback draws texts again", hint="leave one of them out")
    return DOUBTFUL if fallback else NEVER if keep else LOOPS
