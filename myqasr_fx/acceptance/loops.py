"""Transcripts that got stuck."""

from __future__ import annotations

import re

_LOOP = re.compile(r"(.{2,200}?)\1{4,}|(.)\2{11,}")


def is_loop(text: str) -> bool:
    """True when a piece of 2 to 200 characters stands five times in a row, or one character twelve times.

    Args:
        text: Normalized; a space counts as a character, so that ``no no no`` repeats one piece.
    """
    return _LOOP.search(f"{text} ") is not None
