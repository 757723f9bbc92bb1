r"""Writes how many weights every layer of the experiments' models has, from which the real bits of a scheme follow.

    python benchmarks/paper/layer_weights.py whisper-tiny.en whisper-base FOLDER/w2v2-digits

Writes ``results/layer_weights.csv``.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path

from raw import HERE

WEIGHTS = HERE / "results" / "layer_weights.csv"


def main() -> None:
    from myqasr_fx.models.load import load_model
    from myqasr_fx.models.prepared import prepare

    with WEIGHTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("model", "layer", "weights"))
        for model in sys.argv[1:]:
            layers = prepare(load_model(model)).layers
            writer.writerows((Path(model).name, layer.name, layer.num_weights) for layer in layers if layer.weight)


def read_weights() -> dict[str, dict[str, int]]:
    """Model to layer to its number of weights."""
    found: dict[str, dict[str, int]] = {}
    with WEIGHTS.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["model"], {})[row["layer"]] = int(row["weights"])
    return found


def real_bits(widths: Mapping[str, float], weights: Mapping[str, int]) -> float:
    """Mean width of a weight, scales left out."""
    total = sum(weights[layer] for layer in widths if layer in weights)
    return sum(bits * weights[layer] for layer, bits in widths.items() if layer in weights) / total


if __name__ == "__main__":
    main()
