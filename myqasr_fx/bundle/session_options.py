"""The session entries of onnxruntime that a bundle may set: those that the compiler writes, and no other.

Others name files to write or libraries to load, and a bundle may come from anybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

ACCURACY_LEVEL = "session.qdq_matmulnbits_accuracy_level"

PRECISE_INTEGERS = "session.x64quantprecision"
"""Integer products that do not saturate on x64 processors without VNNI, at some cost there and none elsewhere."""

_DIGIT = re.compile(r"[0-9]", re.ASCII)
_ALLOWED: Mapping[str, re.Pattern[str]] = MappingProxyType({ACCURACY_LEVEL: _DIGIT, PRECISE_INTEGERS: _DIGIT})


def check_session_options(options: Mapping[str, str]) -> None:
    """Refuses what a bundle may not set.

    Raises:
        ValueError: A key is not allowed, or its value has another form.
    """
    for key, value in options.items():
        if key not in _ALLOWED:
            raise ValueError(f"session option {key[:80]!r}: expected {' or '.join(_ALLOWED)}")
        if not _ALLOWED[key].fullmatch(value):
            raise ValueError(f"session option {key}: {value[:40]!r}, expected a digit")
