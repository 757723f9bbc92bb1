"""Names of what is written beside a file or folder before it takes its place."""

from __future__ import annotations

import hashlib
import os

_LONGEST = 255
"""Bytes of a name that file systems allow."""

_ROOM = 55
"""For what stands around it."""


def hidden_prefix(name: str) -> str:
    """``.NAME.myqasr-`` of a file or folder; a digest stands for a name that is allowed and leaves no room for more."""
    encoded = os.fsencode(name)
    long = _LONGEST - _ROOM < len(encoded) <= _LONGEST
    return f".{hashlib.sha256(encoded).hexdigest() if long else name}.myqasr-"
