"""The files of a Whisper model in CTranslate2 form. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ct2Files:
    """Where the pieces are.

    Args:
        weights: ``model.bin`` or its consecutive parts.
        tokenizer: ``tokenizer.json``.
        config: CTranslate2's ``config.json``, with the suppressed tokens and the alignment heads.
    """

    weights: tuple[Path, ...]
    tokenizer: Path
    config: Path
