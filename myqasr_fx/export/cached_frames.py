"""Steps of a decoder that read the cross-attention's cached keys and values where they lie.

A branch-free decoder joins what is cached, K0 and V0 of c frames, with what it computes of the others, K1 and V1: all
frames are in one of the two, and at every step the other is empty. Joined, they are copied for each token, 18 MB for
tiny and 37 MB for base. So the products take them apart::

    Q @ join(K0, K1)^T  ->  join(Q @ K0^T, Q @ K1^T)
    P @ join(V0, V1)    ->  P[:c] @ V0 + P[c:] @ V1

What ``present`` holds of them is what was computed: all frames at first, later none. A client keeps what it got first,
as with the merged decoders of Optimum; where one hands back what it gets, frames are computed again every other token.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from myqasr_fx.export.emitter import Emitter

_TURNED = (0, 1, 3, 2)
"""Axes of keys (B, heads, frames, width) as products read them."""

COMPUTED = "encoder_sequence_length - past_encoder_sequence_length"
"""Name of the number of frames that are computed."""


@dataclass(frozen=True, slots=True)
class _Joined:
    """Frames that are joined: keys, or values.

    Args:
        node: That joins them.
        parts: (B, heads, frames, width) cached and computed.
        product: That reads them.
        turned: Between the two for keys, of which it makes (B, heads, width, frames).
    """

    node: ir.Node
    parts: tuple[ir.Value, ir.Value]
    product: ir.Node
    turned: ir.Node | None


def read_cached(model: ir.Model) -> ir.Model:
    """Takes the products of cross-attention apart; others, such as those of rounded keys, stay what they are.

    Args:
        model: With inputs ``past_key_values.LAYER.encoder.key`` and ``.value``; changed in place.
    """
    emitter = Emitter(model.graph)
    found = [joined for result in model.graph.outputs if (joined := _joined(result)) is not None]
    if found:
        frames = _frames(emitter, found[0])
        for joined in found:
            _take_apart(emitter, joined, frames)
    return model


def _joined(result: ir.Value) -> _Joined | None:
    """What a result of the graph joins, where one product and nothing else reads it."""
    node = result.producer()
    if node is None or node.op_type != "Concat" or node.attributes["axis"].as_int() not in (2, -2):
        return None
    parts = [part for part in node.inputs if part is not None]
    if len(parts) != 2 or not parts[0].is_graph_input() or ".encoder." not in (parts[0].name or ""):
        return None
    reader, turned = _only_reader(result), None
    if reader is not None and reader.op_type == "Transpose" and tuple(reader.attributes["perm"].as_ints()) == _TURNED:
        reader, turned = _only_reader(reader.outputs[0]), reader
    if reader is None or reader.op_type != "MatMul" or reader.inputs[1] is not (turned or node).outputs[0]:
        return None
    return _Joined(node, (parts[0], parts[1]), reader, turned)


def _only_reader(value: ir.Value) -> ir.Node | None:
    readers = [use.node for use in value.uses()]
    return readers[0] if len(readers) == 1 else None


def _frames(emitter: Emitter, first: _Joined) -> ir.Value:
    """(2,) cached and computed frames of the first layer, which are those of every layer."""
    emitter.before(first.node, "")
    return emitter.op("Concat", *(emitter.op("Shape", part, start=2, end=3) for part in first.parts), axis=0)


def _take_apart(emitter: Emitter, joined: _Joined, frames: ir.Value) -> None:
    left, node, product = joined.product.inputs[0], joined.node, joined.product
    emitter.before(product, "")
    if joined.turned is not None:
        keys = [emitter.op("Transpose", part, perm=_TURNED) for part in joined.parts]
        taken = emitter.op("Concat", *(emitter.op("MatMul", left, part) for part in keys), axis=-1)
    else:
        shares = emitter.ops("Split", left, frames, outputs=2, axis=-1)
        taken = emitter.op("Add", *map(emitter.op, ("MatMul", "MatMul"), shares, joined.parts))
    ir.convenience.replace_all_uses_with(product.outputs[0], taken)
    result, computed = node.outputs[0], joined.parts[1]
    computed.name, computed.type = result.name, result.type
    computed.shape = result.shape and ir.Shape([*result.shape[:2], COMPUTED, result.shape[3]])
    emitter.graph.outputs[emitter.graph.outputs.index(result)] = computed
    emitter.graph.remove([product, *([joined.turned] if joined.turned else []), node], safe=True)
