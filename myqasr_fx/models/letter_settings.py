"""The settings that say how the letters of a CTC model become a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DELIMITER, BETWEEN, LOWER_CASE = "word_delimiter_token", "replace_word_delimiter_char", "do_lower_case"
LETTER_SETTINGS = (DELIMITER, BETWEEN, LOWER_CASE)
"""Their names in ``tokenizer_config.json``, and as attributes of a tokenizer."""


def delimiter_and_between(settings: Mapping[str, Any]) -> tuple[str, str]:
    """The token between words, and what a text has in its place.

    Args:
        settings: Of ``tokenizer_config.json``.
    """
    return text_of_token(settings.get(DELIMITER) or "|"), text_of_token(settings.get(BETWEEN, " ") or "")


def text_of_token(token: str | Mapping[str, Any]) -> str:
    """The text of a token that settings tell as it is, or as an object."""
    return token if isinstance(token, str) else str(token["content"])
