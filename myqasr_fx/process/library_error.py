"""Errors of libraries, as one line of ours can quote them."""

from __future__ import annotations

import re

_OWN_PLACE = re.compile(r"Load model from .*? failed: ?")
"""Of the file, which our line names already: its folders may be long."""


def first_line(error: BaseException) -> str:
    """What an error of a library says, without the places in its sources that follow."""
    lines = [line.strip() for line in str(error).split("\n") if line.strip()]
    return _OWN_PLACE.sub("", lines[0])[:200] if lines else type(error).__name__


def is_librarys(error: BaseException) -> bool:
    """Whether an error tells of the input: any exception, and a panic of Rust code, which is none to Python."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
