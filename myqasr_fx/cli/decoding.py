"""How a text is found: options of several commands, for Whisper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from typer import Option

if TYPE_CHECKING:
    from myqasr_fx.runtime import Decoding

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
        "below.",
        rich_help_panel=_PANEL,
    ),
]
Seed = Annotated[int, Option("--seed", help="Seed of what is drawn.", rich_help_panel=_PANEL)]


def decoding_of(timestamps: str | None, task: str, beams: int, temperature_fallback: bool, seed: int) -> Decoding:
    """The options as the runtime takes them.

    Raises:
        OptionError: A value is unknown or out of range.
    """
    from myqasr_fx.runtime.decoding import USUAL_TEMPERATURES, Decoding

    return Decoding(task, timestamps, beams, USUAL_TEMPERATURES if temperature_fallback else (), seed)
