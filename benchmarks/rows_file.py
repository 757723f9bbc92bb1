"""CSV files of the benchmarks' flat records: one line each, fields of text, whole numbers and floats."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_KINDS = {"str": str, "int": int, "float": float}


def read_rows(kind: type[T], path: Path) -> list[T]:
    """Records of an earlier run; none when there was none."""
    if not path.exists():
        return []
    kinds: dict[str, Any] = {field.name: _KINDS[str(field.type)] for field in fields(kind)}  # type: ignore[arg-type]
    with path.open(newline="", encoding="utf-8") as file:
        return [kind(**{name: kinds[name](text) for name, text in line.items()}) for line in csv.DictReader(file)]


def write_rows(kind: type[T], path: Path, rows: Sequence[T]) -> None:
    """Replaces the file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, rows))  # type: ignore[arg-type]
