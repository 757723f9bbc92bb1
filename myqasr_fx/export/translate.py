"""Translates lowered graphs to ONNX, graphs of one structure once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes.common import DeduplicateInitializersPass
from torch import fx

from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.errors import ExportError
from myqasr_fx.export.outline import Codes, Outline, is_tainted, outline
from myqasr_fx.export.placeholders import DEQUANTIZE_ROWS, DEQUANTIZE_STRINGS, DEQUANTIZE_WEIGHT, DOMAIN
from myqasr_fx.export.split_weights import Part, divide
from myqasr_fx.export.to_onnx import to_onnx
from passes.graph.graph_edit import get_tensor

KEPT = 32
"""Translations kept: of some models' graphs, as bytes, since their nodes hold on to what torch traced."""

HELD = 4_000_000
"""Bytes of tensors above which a translation that could not do without them is not kept."""

_translations: OrderedDict[tuple[str, str, int], bytes | frozenset[str]] = OrderedDict()


def translate(module: fx.GraphModule, signature: GraphSignature, opset: int) -> ir.Model:
    """What :func:`~myqasr_fx.export.to_onnx.to_onnx` gives for the same arguments, and lookups in blocks of strings.

    Raises:
        ExportError: torch cannot translate the graph.
    """
    keep = frozenset[str]()
    while True:
        found = outline(module, keep)
        made = _translation(found, signature, opset)
        if isinstance(made, bytes):
            return _filled(ir.from_proto(onnx.ModelProto.FromString(made)), found, module)
        if made <= keep:
            raise ExportError("the exported graph does not hold the codes of all weights")
        keep |= made


def _translation(found: Outline, signature: GraphSignature, opset: int) -> bytes | frozenset[str]:
    """Of an outline; or the floats that it looked at, which then need to be there."""
    key = (found.structure, repr(signature), opset)
    if key in _translations:
        _translations.move_to_end(key)
        return _translations[key]
    model = to_onnx(found.module, signature, opset)
    made = _emptied(model, found) if _can_be_filled(model, found) else _looked_at(model, found)
    if found.held <= HELD or not isinstance(made, bytes):
        _translations[key] = made
    if len(_translations) > KEPT:
        _translations.popitem(last=False)
    return made


def _can_be_filled(model: ir.Model, found: Outline) -> bool:
    """Whether all stand-ins are still there, and nothing was computed of them."""
    stored = model.graph.initializers
    others = [value.const_value for name, value in stored.items() if name not in found.floats]
    constants = [node.attributes["value"].as_tensor() for node in model.graph if "value" in node.attributes]
    codes = found.codes.keys() & dict(found.module.named_buffers()).keys()
    whole = all(name in stored for name in found.floats | codes)
    return whole and not any(is_tainted(tensor.numpy()) for tensor in (*others, *constants) if tensor is not None)


def _looked_at(model: ir.Model, found: Outline) -> frozenset[str]:
    """The floats that are gone; all of them where none is."""
    return found.floats - model.graph.initializers.keys() or found.floats


def _emptied(model: ir.Model, found: Outline) -> bytes:
    """The translation with next to nothing in place of the stand-ins of floats."""
    for name in found.floats:
        model.graph.initializers[name].const_value = ir.Tensor(np.zeros(1, np.float32), name=name)
    data: bytes = ir.to_proto(model).SerializeToString()
    return data


def _filled(model: ir.Model, found: Outline, module: fx.GraphModule) -> ir.Model:
    """The translation with the tensors of ``module``."""
    for name in found.floats:
        _stored(model.graph, name, module)
    for node in list(model.graph):
        if node.domain == DOMAIN and node.op_type in (DEQUANTIZE_ROWS, DEQUANTIZE_WEIGHT):
            is_lookup = node.op_type == DEQUANTIZE_ROWS
            packed = node.inputs[is_lookup]
            if packed is None or packed.name is None or packed.name not in found.codes:
                raise ExportError(f"{node.name}: codes and scales must be stored in the graph")
            parts = (found.lookups if is_lookup else found.split).get(packed.name, ())
            if parts and is_lookup:
                _fill_lookup(model.graph, node, parts, found.codes, module)
                continue
            blocks = divide(model.graph, node, parts) if parts else [node]
            for block, name in zip(blocks, [part.packed for part in parts] or [packed.name], strict=True):
                _fill(model.graph, block, name, found.codes[name], module)
    DeduplicateInitializersPass()(model)
    return model


def _fill(graph: ir.Graph, node: ir.Node, packed: str, codes: Codes, module: fx.GraphModule) -> None:
    """Gives a placeholder the tensors of its block, as many as there are, and its width."""
    node.attributes["bits"] = ir.AttrInt64("bits", codes.bits)
    every = _tensors(packed, codes)
    first = int(node.op_type == DEQUANTIZE_ROWS)
    names = every[: 1 + max(position for position, name in enumerate(every) if name is not None)]
    node.resize_inputs(first + len(names))
    for position, name in enumerate(names, first):
        node.replace_input_with(position, None if name is None else _stored(graph, name, module))


def _fill_lookup(
    graph: ir.Graph, node: ir.Node, parts: Sequence[Part], codes: Mapping[str, Codes], module: fx.GraphModule
) -> None:
    """Puts a placeholder that reads all blocks of strings in place of one that reads the first."""
    names = [name for part in parts for name in _tensors(part.packed, codes[part.packed])]
    stored = [None if name is None else _stored(graph, name, module) for name in names]
    attributes: dict[str, Any] = {
        "bits": [codes[part.packed].bits for part in parts],
        "rows": [part.shape[0] for part in parts],
        "cols": parts[0].shape[1],
    }
    every = ir.node(DEQUANTIZE_STRINGS, [node.inputs[0], *stored], attributes, domain=DOMAIN, name=node.name)
    graph.insert_before(node, every)
    ir.convenience.replace_all_uses_with(node.outputs[0], every.outputs[0])
    graph.remove(node, safe=True)


def _tensors(packed: str, codes: Codes) -> tuple[str | None, ...]:
    """Names of the inputs of a placeholder that reads one block."""
    return packed, codes.scale, codes.zero_point, codes.table, codes.gains


def _stored(graph: ir.Graph, name: str, module: fx.GraphModule) -> ir.Value:
    """The initializer ``name`` with the tensor of that name."""
    tensor = ir.Tensor(get_tensor(module, name).detach().numpy(), name=name)
    value = graph.initializers.get(name) or ir.Value(name=name)
    value.const_value, value.shape, value.type = tensor, ir.Shape(tensor.shape.numpy()), ir.TensorType(tensor.dtype)
    graph.register_initializer(value)
    return value
