"""Sizes as people write them: ``24MB`` (decimal), ``24MiB`` (binary) or a bare number of bytes."""

from __future__ import annotations

import re
from numbers import Integral

from myqasr_fx.errors import OptionError

_FACTORS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SIZE = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?|\.[0-9]+)\s*([a-zA-Z]*)\s*", re.ASCII)
_LARGEST = 2**50
_LEAST_BARE = 1000
"""Bytes below which a budget without a unit was meant in another one: no model file is as small."""
_HINT = "write 24MB (24,000,000 bytes), 24MiB (25,165,824 bytes) or a number of bytes"


def parse_size(value: str | int) -> int:
    """Bytes that ``value`` means.

    Args:
        value: A number of bytes, or text of a number and one of B, KB, MB, GB, TB, KiB, MiB, GiB, TiB in any case.

    Returns:
        Whole bytes, rounded down.

    Raises:
        OptionError: Not a size, smaller than one byte or larger than 1 PiB.
    """
    if not isinstance(value, (str, Integral)):
        raise OptionError(f"{value!r} is not a size: {type(value).__name__}, expected text or whole bytes", hint=_HINT)
    match = _SIZE.fullmatch(str(value))
    if match is None or isinstance(value, bool):
        raise OptionError(f"{value!r} is not a size", hint=_HINT)
    number, unit = match[1].replace("_", ""), match[2]
    factor = _FACTORS.get(unit.lower())
    if factor is None:
        raise OptionError(f"{value!r} is not a size: unknown unit {unit!r}", hint=_HINT)
    whole, _, fraction = number.partition(".")
    # Integers throughout: a float would turn 0.3GB into 299,999,999 bytes.
    size = int(whole + fraction) * factor // int("1" + "0" * len(fraction))
    if not 1 <= size <= _LARGEST:
        raise OptionError(f"size {value!r} is {size:,} bytes, expected 1 byte to 1 PiB", hint=_HINT)
    return size


def parse_budget(value: str | int) -> int:
    """Bytes of the model files that ``value`` means.

    Args:
        value: As for :func:`parse_size`.

    Raises:
        OptionError: Not a size, or a number whose unit was forgotten.
    """
    size, text = parse_size(value), str(value).strip()
    if not text[-1].isalpha() and (size < _LEAST_BARE or "." in text):
        raise OptionError(f"a budget of {text} bytes holds no model", hint=f"did you mean {text}MB?")
    return size


def format_size(num_bytes: float) -> str:
    """``num_bytes`` in decimal units with three significant digits at least: ``23.99 MB``, ``512 B``."""
    size = float(num_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        # 999.995 would print as 1000.00.
        if abs(size) < 999.995 or unit == "GB":
            return f"{size:.0f} B" if unit == "B" else f"{size:.2f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


def format_seconds(seconds: float) -> str:
    """``seconds`` as ``0.8 s``, ``42 s`` or ``3 min 05 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"
