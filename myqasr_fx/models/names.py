"""What a model may be called. Loads no torch, so that a name with a typo is told at once."""

from __future__ import annotations

import re
from pathlib import Path

from myqasr_fx.errors import ModelError, did_you_mean
from myqasr_fx.models.builtin import BUILTIN_MODELS
from myqasr_fx.models.refusal import shown

_HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")


def check_name(name_or_path: str) -> Path | None:
    """The folder that ``name_or_path`` is; None for a built-in name or a hub id. A folder goes before a name.

    Raises:
        ModelError: It is none of them.
    """
    path = _path(name_or_path)
    if path is not None and path.is_dir():
        return path
    if path is not None and path.is_file():
        raise ModelError(f"{path}: is a file, expected a model's folder", hint=f"try {path.parent}")
    if name_or_path in BUILTIN_MODELS or _HUB_ID.fullmatch(name_or_path):
        return None
    guess = did_you_mean(name_or_path, BUILTIN_MODELS)
    raise ModelError(
        f"unknown model {shown(name_or_path)}: no folder, built-in name or hub id",
        hint=f"{guess}built-in are {', '.join(BUILTIN_MODELS)}; a hub id looks like openai/whisper-base",
    )


def how_to_give(recorded: str) -> str:
    """What to do where the model of a bundle is needed again.

    Args:
        recorded: What the bundle calls it: of a folder the last part of its path.
    """
    if recorded in BUILTIN_MODELS or _HUB_ID.fullmatch(recorded):
        return f"give --model {recorded}"
    return f"it was made from a folder called {shown(recorded)}: give --model FOLDER"


def _path(name: str) -> Path | None:
    """``name`` as a path, or None when no path can have it."""
    try:
        path = Path(name).expanduser()
        path.stat()
    except (OSError, RuntimeError, ValueError):  # missing or too long, a home of nobody, a NUL
        return None
    return path
