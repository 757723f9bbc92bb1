"""How much silence Whisper hears behind a clip: options of several commands."""

from __future__ import annotations

from typing import Annotated

from typer import Option

_PANEL = "How much silence is heard behind a clip (Whisper only)"

ContextOption = Annotated[
    str | None,
    Option(
        "--context",
        help="full: 30 s, as in training; speech: a margin, which takes clips of 7 s about half the time. "
        r"\[default: what the bundle was judged in]",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
FallbackFlag = Annotated[
    bool,
    Option(
        "--fallback/--no-fallback",
        help="Hear a clip in 30 s after all where the text of a shorter context is doubtful.",
        rich_help_panel=_PANEL,
    ),
]
