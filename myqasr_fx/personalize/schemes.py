"""The widths that every quantized model took, and how much they change from draw to draw."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from itertools import combinations
from pathlib import Path

from myqasr_fx.personalize.ledger import Cell
from myqasr_fx.personalize.table import append_to_table
from passes.numbers.scheme import BitScheme

Widths = Mapping[str, float]
"""Layer to its mean bits."""

_HEAD = (*(f.name for f in fields(Cell) if f.name != "test"), "layer", "bits")


def append_scheme(path: Path, cell: Cell, scheme: BitScheme) -> None:
    """Adds a row a layer."""
    rows = ([*astuple(cell)[:5], name, round(layer.mean_bits, 4)] for name, layer in scheme.layers.items())
    append_to_table(path, _HEAD, rows)


def read_schemes(path: Path) -> dict[tuple[str, str, int, int, str], dict[str, float]]:
    """Recipe, budget, clips, seed and calibration to the widths; of a repeated model the last."""
    found: dict[tuple[str, str, int, int, str], dict[str, float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = (row["recipe"], row["budget"], int(row["clips"]), int(row["seed"]), row["calibration"])
            found.setdefault(key, {})[row["layer"]] = float(row["bits"])
    return found


def spread(schemes: Sequence[Widths]) -> float:
    """Mean difference of a layer's width between two of the schemes, in bits; 0 for fewer than two."""
    pairs = list(combinations(schemes, 2))
    apart = [abs(a[layer] - b[layer]) for a, b in pairs for layer in a]
    return sum(apart) / len(apart) if apart else 0.0
