"""Where an ONNX file says that its tensors lie, read off the protobuf without the package ``onnx``.

Only the fields that lead to a tensor are followed; weights are passed over, so that gigabytes cost nothing.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from myqasr_fx.bundle.bundle import MANIFEST, QuantizedBundle
from myqasr_fx.errors import BundleError

_FIELDS: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "model": {7: "graph", 20: "training", 25: "function"},
        "training": {1: "graph", 2: "graph"},
        "function": {7: "node", 11: "attribute"},
        "graph": {1: "node", 5: "tensor", 15: "sparse"},
        "node": {5: "attribute"},
        "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
        "sparse": {1: "tensor", 2: "tensor"},
        "tensor": {13: "entry"},
        "entry": {},
    }
)
"""Message to its fields that hold messages which may lead to external data. Source: onnx.proto3, IR version 13."""

_LONGEST = 4096
"""Bytes of a location that are looked at; no file name is longer."""

_MOST_FIELDS = 5_000_000
"""Those of a real file, which stay below 100,000, take a fraction of a second."""

_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def model_files(bundle: QuantizedBundle, graphs: Iterable[str]) -> dict[str, Path]:
    """Graph name to its file, all of whose tensors lie in files that the bundle lists.

    Args:
        bundle: The bundle.
        graphs: Names of graphs.

    Raises:
        BundleError: A file is not listed, names one that is not, or is no ONNX file.
    """
    return {graph: _model_file(bundle, bundle.layout.file(graph)) for graph in graphs}


def _model_file(bundle: QuantizedBundle, name: str) -> Path:
    path, listed = bundle.file(name), {file.name for file in bundle.manifest.files}
    if name not in listed:
        raise BundleError(f"{bundle.path / MANIFEST}: lists no file {name!r}", hint="quantize again")
    try:
        named = {str(PurePosixPath(name).parent / location) for location in external_locations(path)}
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: no ONNX file: {error}", hint="quantize again") from error
    if foreign := sorted(named - listed):
        raise BundleError(
            f"{path}: its tensors lie in {foreign[0][:80]!r}, which {MANIFEST} does not list",
            hint="take a bundle from a source that you trust",
        )
    return path


def external_locations(path: Path) -> frozenset[str]:
    """Every ``location`` of external data in an ONNX file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no protobuf.
    """
    if not path.stat().st_size:
        return frozenset()
    found: set[str] = set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        waiting, left = [("model", 0, len(data))], _MOST_FIELDS
        while waiting:
            kind, start, stop = waiting.pop()
            texts: dict[int, list[bytes]] = {_KEY: [], _VALUE: []}
            for number, begin, end in _fields(data, start, stop):
                left -= 1
                if not left:
                    raise ValueError(f"more than {_MOST_FIELDS} fields")
                if kind == "entry" and number in texts:
                    texts[number].append(data[begin : min(end, begin + _LONGEST)])
                elif number in _FIELDS[kind]:
                    waiting.append((_FIELDS[kind][number], begin, end))
            if b"location" in texts[_KEY]:
                found.update(value.decode("utf-8") for value in texts[_VALUE])
    return frozenset(found)


def _fields(data: mmap.mmap, position: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of every field of a message; those of numbers are empty."""
    while position < stop:
        tag, position = _varint(data, position, stop)
        number, wire = tag >> 3, tag & 7
        length = 0
        if wire == _VARINT:
            _, position = _varint(data, position, stop)
        elif wire == _BYTES:
            length, position = _varint(data, position, stop)
        elif wire in (_FIXED32, _FIXED64):
            position += 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {wire} at byte {position}")
        if position + length > stop:
            raise ValueError(f"a field ends beyond its message at byte {position}")
        yield number, position, position + length
        position += length


def _varint(data: mmap.mmap, position: int, stop: int) -> tuple[int, int]:
    value = shift = 0
    while position < stop and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
    raise ValueError(f"no number at byte {position}")
