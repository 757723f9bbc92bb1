"""What a pass manager leaves on disk for a developer: the graphs after each pass, and reproducers of failures."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from passes.base import Pass, Program
from passes.clone import clone
from passes.errors import DumpError
from passes.graph.format_graph import format_graph

Texts = Mapping[str, str]
"""Graph name to its text."""

_LARGEST_SAVED = 1 << 29
"""Bytes of weights up to which a reproducer holds the modules themselves."""


def texts_of(program: Program) -> Texts:
    """The text of every graph."""
    return {name: format_graph(module) for name, module in program.graphs.items()}


@dataclass(frozen=True, slots=True)
class IrDump:
    """Writes graphs into a folder, numbered in the order of the passes.

    ``00_input.encoder_model.txt`` is the graph that came in; ``02_DecomposeAttention.encoder_model.txt`` the graph
    after the second pass, ``.diff`` what that pass changed. A graph that a pass left alone is not written again.

    Args:
        folder: Created when the first graph is written; files of an earlier run are overwritten.

    Raises:
        DumpError: When a graph is to be written and the folder cannot be.
    """

    folder: Path

    def write_input(self, texts: Texts) -> None:
        """Writes the graphs before the first pass."""
        for graph, text in texts.items():
            self._write(f"00_input.{graph}.txt", text)

    def write(self, number: int, name: str, before: Texts, after: Texts) -> None:
        """Writes the graphs that pass ``number``, counted from 1, changed."""
        for graph, text in after.items():
            old = before.get(graph, "")
            if text == old:
                continue
            self._write(f"{number:02d}_{name}.{graph}.txt", text)
            lines = difflib.unified_diff(
                old.splitlines(keepends=True), text.splitlines(keepends=True), f"before {name}", f"after {name}", n=1
            )
            self._write(f"{number:02d}_{name}.{graph}.diff", "".join(lines))

    def _write(self, name: str, text: str) -> None:
        with _refused(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text, encoding="utf-8")


def write_reproducer(folder: Path, failed: Pass, before: Program, error: BaseException) -> Path:
    """Writes all that is needed to look at a failed pass again.

    ``pass.txt`` holds the pass with its fields, ``error.txt`` the traceback, ``<graph>.txt`` each graph as the pass
    got it and ``<graph>.pt`` its module for ``torch.load(..., weights_only=False)``, unless it is large or cannot be
    saved; annotations are in the text only.

    Args:
        folder: Created when missing.
        failed: The pass.
        before: The program that the pass got.
        error: What it raised.

    Returns:
        ``folder``.

    Raises:
        DumpError: The folder cannot be written.
    """
    with _refused(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pass.txt").write_text(f"{failed!r}\n", encoding="utf-8")
        (folder / "error.txt").write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        for graph, text in texts_of(before).items():
            (folder / f"{graph}.txt").write_text(text, encoding="utf-8")
        _save_modules(folder, before)
    return folder


def _save_modules(folder: Path, before: Program) -> None:
    for graph, module in before.graphs.items():
        path = folder / f"{graph}.pt"
        size = sum(t.numel() * t.element_size() for t in (*module.parameters(), *module.buffers()))
        if size > _LARGEST_SAVED:
            continue
        try:
            copy = clone(module)
            copy.meta.clear()  # holds symbolic shapes, which do not pickle
            torch.save(copy, path)
        except Exception as reason:  # pickling runs code of every object it meets; the text is there anyway
            path.unlink(missing_ok=True)
            (folder / f"{graph}.unsaved.txt").write_text(f"{type(reason).__name__}: {reason}\n", encoding="utf-8")


@contextmanager
def _refused(folder: Path) -> Iterator[None]:
    """Turns what the file system refuses into an error that names this folder and no other."""
    try:
        yield
    except OSError as error:
        problem = f"graphs cannot be written to {folder}: {error.strerror}"
        raise DumpError(problem, hint="choose another --dump-ir") from error
