"""CSV files that grow from sitting to sitting: a line that was cut off is none, and a rewritten file is whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from myqasr_fx.bundle.output_file import write_file
from myqasr_fx.errors import EvaluationError, OutputError


def read_table(path: Path) -> list[list[str]]:
    """The whole lines of a file; none when there is no file.

    Raises:
        EvaluationError: It cannot be read, or is no CSV.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            text = file.read()
        return list(csv.reader(text[: text.rfind("\n") + 1].split("\n")[:-1]))
    except (OSError, ValueError, csv.Error) as error:
        raise EvaluationError(f"{path}: cannot be read: {error}", hint="choose another --out") from error


def write_table(path: Path, lines: Iterable[Sequence[object]]) -> None:
    """Replaces a file at once; missing folders are made.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}", hint="choose another --out") from error
    write_file(path, _text(lines), force=True)


def append_to_table(path: Path, head: Sequence[object], lines: Iterable[Sequence[object]]) -> None:
    """Adds lines in one write, behind the last whole one, or behind ``head`` where there is none.

    Raises:
        OutputError: The file cannot be written.
    """
    try:
        with path.open("a+b") as file:
            file.seek(0)
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)
            file.write(_text([*([] if whole else [head]), *lines]).encode("utf-8", "replace"))
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}", hint="choose another --out") from error


def _text(lines: Iterable[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
