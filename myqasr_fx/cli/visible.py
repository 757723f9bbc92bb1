"""Texts of others on the terminal: what would steer it, or forge a line, is shown escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rich.text import Text

_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""C0 and C1 codes, bidi marks, line separators, and bytes of file names that are no UTF-8."""

_IN_JSON = re.compile(_STEERING.pattern.replace(r"\x00-\x1f", r"\x00-\x09\x0b-\x1f"))
"""The same without the newlines between entries; those in texts are escaped already."""


def visible(text: str) -> str:
    """``text`` with such characters as Python would write them."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def shown(text: str, style: str = "") -> Text:
    """A cell or line of a view, in which nothing is markup."""
    return Text(visible(text), style)


def shortened(text: str, most: int = 100) -> str:
    """``text``, its middle left out where it is too long: the end often says what to do."""
    end = most // 3
    return text if len(text) <= most else f"{text[: most - end - 5]} ... {text[-end:]}"


def json_text(data: Mapping[str, Any], *, ascii_only: bool) -> str:
    """``data`` as JSON that any terminal takes."""
    text = json.dumps(data, ensure_ascii=ascii_only, indent=2, allow_nan=False)
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
