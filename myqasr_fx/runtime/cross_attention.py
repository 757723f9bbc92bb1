"""The weights of the decoder's cross-attention as outputs of its graph, added in memory to a file that has none.

A file is a protocol buffer: fields one after the other, where those that repeat add up. So nodes and outputs are added
by bytes behind the file's own, and the nodes that give the weights are found by reading names alone.

Source: protobuf.dev, "Encoding"; field numbers of onnx.proto.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PREFIX = "cross_attentions."
"""Before a layer's number: name of the output (B, heads, tokens, frames) that is added for it."""

_GRAPH, _NODE, _OUTPUT = 7, 1, 12  # of the model; of the graph
_INPUTS, _OUTPUTS, _OPERATOR = 1, 2, 4  # of a node
_TENSOR, _FLOAT = 1, 1  # of a type; of the tensor types
_LENGTH = 2  # kind of a field whose length is told
_KEY = re.compile(r"(?:present|past_key_values)\.(\d+)\.(encoder|decoder)\.key")


@dataclass(frozen=True, slots=True)
class _Node:
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def with_weights(path: Path) -> bytes | None:
    """The content of an ONNX file, with an output for the cross-attention of every layer.

    Args:
        path: A decoder; what reads no keys named ``present.LAYER.encoder.key``, or ``past_key_values``, has no such
            layer.

    Returns:
        None where there is no such layer, or the file cannot be read.
    """
    content = path.read_bytes()
    try:
        found = _weights(list(_nodes(memoryview(content))))
    except (IndexError, UnicodeDecodeError, ValueError):
        return None
    return content + _field(_GRAPH, b"".join(_added(*one) for one in sorted(found.items()))) if found else None


def _weights(nodes: Sequence[_Node]) -> dict[int, str]:
    """Layer to the tensor that holds its weights: the softmax of a product with the layer's keys."""
    made_by = {name: node for node in nodes for name in node.outputs}
    found = {}
    for node in nodes:
        if node.operator == "Softmax" and (key := _nearest_key(node, made_by)) and key[2] == "encoder":
            found[int(key[1])] = node.outputs[0]
    return found


def _nearest_key(node: _Node, made_by: Mapping[str, _Node]) -> re.Match[str] | None:
    """The keys of a cache that fewest nodes lie before."""
    names, seen = list(node.inputs), set()
    for name in names:  # grows
        if key := _KEY.fullmatch(name):
            return key
        if name in made_by and name not in seen and made_by[name].operator != "Softmax":
            names.extend(made_by[name].inputs)
        seen.add(name)
    return None


def _added(layer: int, tensor: str) -> bytes:
    """A node that names the weights of a layer, and the output, for a graph."""
    name = f"{PREFIX}{layer}".encode()
    node = _field(_INPUTS, tensor.encode()) + _field(_OUTPUTS, name) + _field(_OPERATOR, b"Identity")
    of_type = _field(2, _field(_TENSOR, bytes([1 << 3, _FLOAT])))
    return _field(_NODE, node) + _field(_OUTPUT, _field(1, name) + of_type)


def _nodes(model: memoryview) -> Iterator[_Node]:
    for number, graph in _fields(model):
        for inner, content in _fields(graph) if number == _GRAPH else ():
            if inner == _NODE:
                texts = [(kind, str(text, "utf-8")) for kind, text in _fields(content) if kind <= _OPERATOR]
                named = [tuple(text for kind, text in texts if kind == wanted) for wanted in (_INPUTS, _OUTPUTS)]
                yield _Node(next((text for kind, text in texts if kind == _OPERATOR), ""), *named)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of every field whose length is told; numbers are passed over."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == _LENGTH:
            size, place = _varint(data, place)
            yield tag >> 3, data[place : place + size]
            place += size
        elif kind == 0:
            _, place = _varint(data, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of kind {kind}")


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """The number at a place, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | _LENGTH]) + _size(len(content)) + content


def _size(length: int) -> bytes:
    found = bytearray()
    while length > 127:
        found.append(length & 127 | 128)
        length >>= 7
    return bytes([*found, length])
