"""What lies in a scratch folder, and what a command changed there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

Marks = Mapping[str, tuple[int, int, int]]
"""Relative name to what changes with an entry."""


def entries(folder: Path) -> Marks:
    """Everything below ``folder`` by relative name, with what changes when it does; of folders nothing."""
    found: dict[str, tuple[int, int, int]] = {}
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        with os.scandir(folder / inside) as listed:
            for entry in listed:
                name = f"{inside}/{entry.name}" if inside else entry.name
                if entry.is_dir(follow_symlinks=False):
                    found[name] = (0, 0, 0)
                    waiting.append(name)
                else:
                    status = entry.stat(follow_symlinks=False)
                    found[name] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def changes(before: Marks, folder: Path) -> tuple[str, ...]:
    """Names below ``folder`` that are new or not as they were."""
    return tuple(sorted(name for name, mark in entries(folder).items() if before.get(name) != mark))


def link_tree(source: Path, target: Path) -> None:
    """Copies a folder by hard links, which cost nothing; whoever changes a file of it has to replace it."""
    shutil.copytree(source, target, copy_function=os.link, dirs_exist_ok=True)
