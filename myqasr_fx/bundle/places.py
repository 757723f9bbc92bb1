"""Where a folder that is written lies beside others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from myqasr_fx.errors import OptionError


def settled(path: str | Path, others: Mapping[str, Path | None] = MappingProxyType({})) -> Path:
    """The same place without ``..``: behind a folder that does not exist yet it would be none for others who look.

    Args:
        path: To be written.
        others: As for :func:`check_outside`, whose errors it raises.
    """
    path = Path(path)
    check_outside(path, others)
    return Path(os.path.realpath(path)) if ".." in path.parts else path


def check_outside(out: Path, others: Mapping[str, Path | None]) -> None:
    """Refuses folders that are written during the work inside one that appears whole at its end.

    Args:
        out: That one.
        others: Option to its folder; None where none is asked for.

    Raises:
        OptionError: Naming the first.
    """
    target = Path(os.path.realpath(out))
    for name, folder in others.items():
        if folder is not None and Path(os.path.realpath(folder)).is_relative_to(target):
            raise OptionError(f"--{name} {folder} lies in --out {out}", hint=f"choose another --{name}")
