"""Faults in ONNX files: in their bytes, or another graph in a file that is well-formed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from fault_bytes import damaged
from fault_json import TEXTS

_OPERATORS = ("Add", "Loop", "If", "DequantizeLinear", "MatMulNBits", "Nothing")
_TYPES = (0, 1, 2, 3, 8, 10, 16, 21, 22, 25, 99, -1)
_SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (-1,), (1 << 40,), (1 << 62, 4), (3, 5, 7), (1,) * 30)
_VERSIONS = (0, 1, 3, 7, 99, 1 << 40, -1)
_PLACES = ("/etc/passwd", "../../x", "weights.bin", "\\\\host\\share")


def changed_onnx(content: bytes, random: Random) -> tuple[bytes, str]:
    """The file with a fault, and what it is in words."""
    if random.random() < 0.4:
        return damaged(content, random)
    import onnx

    model = onnx.load_from_string(content)
    fault = random.choice(_CHANGES)(model, random)
    return model.SerializeToString(), fault


def _text(random: Random) -> str:
    return random.choice(TEXTS[:-1]).replace("\ud800", "?")


def _operator(model: Any, random: Random) -> str:
    node = random.choice(model.graph.node)
    node.op_type = random.choice((*_OPERATORS, _text(random)))
    return f"operator {node.name} is {node.op_type[:40]!r}"


def _input(model: Any, random: Random) -> str:
    node = random.choice([each for each in model.graph.node if each.input])
    at = random.randrange(len(node.input))
    node.input[at] = random.choice(("", "nowhere", _text(random), node.output[0]))
    return f"input {at} of operator {node.name} is {node.input[at][:40]!r}"


def _no_input(model: Any, random: Random) -> str:
    node = random.choice([each for each in model.graph.node if each.input])
    del node.input[random.randrange(len(node.input))]
    return f"operator {node.name} lacks an input"


def _type(model: Any, random: Random) -> str:
    tensor = random.choice(model.graph.initializer)
    tensor.data_type = random.choice(_TYPES)
    return f"tensor {tensor.name} has type {tensor.data_type}"


def _shape(model: Any, random: Random) -> str:
    tensor = random.choice(model.graph.initializer)
    del tensor.dims[:]
    tensor.dims.extend(random.choice(_SHAPES))
    return f"tensor {tensor.name} has shape {list(tensor.dims)}"


def _half(model: Any, random: Random) -> str:
    tensor = random.choice(model.graph.initializer)
    tensor.raw_data = tensor.raw_data[: len(tensor.raw_data) // 2]
    return f"tensor {tensor.name} has half of its bytes"


def _name(model: Any, random: Random) -> str:
    tensor = random.choice(model.graph.initializer)
    tensor.name = _text(random)
    return f"a tensor is called {tensor.name[:40]!r}"


def _attribute(model: Any, random: Random) -> str:
    node = random.choice([each for each in model.graph.node if each.attribute])
    attribute = random.choice(node.attribute)
    attribute.i = random.choice((0, -1, 3, 1 << 40, 1 << 62))
    return f"{attribute.name} of {node.op_type} is {attribute.i}"


def _version(model: Any, random: Random) -> str:
    version = random.choice(_VERSIONS)
    if random.random() < 0.5:
        model.ir_version = version
        return f"IR version {version}"
    model.opset_import[0].version = version
    return f"opset {version}"


def _elsewhere(model: Any, random: Random) -> str:
    tensor = random.choice(model.graph.initializer)
    where = random.choice((*_PLACES, _text(random)))
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    offset = random.choice(("0", "-1", "x"))
    for key, value in (("location", where), ("offset", offset), ("length", "1000000")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return f"tensor {tensor.name} lies in {where[:40]!r}"


def _no_output(model: Any, random: Random) -> str:
    del model.graph.output[:]
    return "has no output"


_CHANGES: tuple[Callable[[Any, Random], str], ...] = (
    *(_operator, _input, _no_input, _type, _shape, _half, _name, _attribute, _version, _elsewhere, _no_output),
)
