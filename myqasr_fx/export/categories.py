"""What the bytes of the model files are spent on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import onnx

from myqasr_fx.bundle.byte_category import Category, in_order
from myqasr_fx.export.row_codes import CODES, SCALES

_STORED = re.compile(r"\.\d+\.(codes|trellis|scale|gain|zero_point)\d*$")
_LEVELS = re.compile(r"trellis\.levels\d$")
_FLOAT_WEIGHT = re.compile(r"\.weight(_block\d+)?$")
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


_PARTS = {
    "codes": Category.CODES,
    "trellis": Category.CODES,
    "gain": Category.SCALES,
    "scale": Category.SCALES,
    "zero_point": Category.ZERO_POINTS,
}


def bytes_by_category(files: Iterable[Path], layers: Iterable[str]) -> dict[str, dict[str, int]]:
    """File name to the bytes of each category in it; they add up to the file's size.

    Args:
        files: Model files, those of external data included.
        layers: Names of the layers, whose weights are told from other floats by them.
    """
    paths = {path.name: path for path in files}
    weights = set(layers)
    found: dict[str, Counter[str]] = {name: Counter() for name in paths}
    for name, path in paths.items():
        if path.suffix == ".onnx":
            for tensor in onnx.load(path, load_external_data=False).graph.initializer:
                place, size = _stored(tensor)
                found[place or name][_category(tensor, weights)] += size
    for name, path in paths.items():
        found[name][Category.GRAPH] += path.stat().st_size - found[name].total()
    return {name: in_order(counts) for name, counts in found.items()}


def _stored(tensor: onnx.TensorProto) -> tuple[str | None, int]:
    """File of external data (None: in the graph's own file) and bytes of a tensor."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        return entries["location"], int(entries["length"])
    return None, len(tensor.raw_data)


def _category(tensor: onnx.TensorProto, layers: set[str]) -> Category:
    stored = _STORED.search(tensor.name)
    if stored and tensor.name[: stored.start()] in layers:
        return _PARTS[stored[1]]
    if _LEVELS.fullmatch(tensor.name):
        return Category.CODES
    if tensor.name.endswith((CODES, SCALES)):
        return Category.LEFTOVERS
    if tensor.data_type not in _FLOATS:
        return Category.GRAPH
    weight = _FLOAT_WEIGHT.search(tensor.name)
    return Category.FLOAT_WEIGHTS if weight and tensor.name[: weight.start()] in layers else Category.LEFTOVERS
