"""Steps of a decoder that read the cross-attention's cached keys and values where they lie.

A branch-free decoder joins what is cached, K0 and V0 of c frames, with what it computes of the others, K1 and V1: all
frames are in one of the two, and at every step the other is empty. Joined, they are copied for each token, 18 MB for
tiny and 37 MB for base. So the products take them apart::

    Q @ join(K0, K1)^T  ->  join(Q @ K0^T, Q @ K1^T)
    P @ join(V0, V1)    ->  P[:c] @ V0 + P[c:] @ V1

What ``present`` holds of them is what was computed, with nothing in the batch where nothing was: the same as the merged
decoders of Optimum, whose clients then keep what they have.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from myqasr_fx.export.emitter import Emitter

_FRAMES = 2
"""Axis of keys and values (B, heads, frames, width)."""

_COMPUTED = ("batch_size_if_computed", "encoder_sequence_length_if_computed")
"""Names of the dimensions of what is computed."""


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
        sizes = _sizes(emitter, found[0])
        for joined in found:
            _take_apart(emitter, joined, sizes)
    return model


def _joined(result: ir.Value) -> _Joined | None:
    """What a result of the graph joins, where one product and nothing else reads it."""
    node = result.producer()
    if node is None or node.op_type != "Concat" or len(node.inputs) != 2:
        return None
    cached, computed = node.inputs
    if cached is None or computed is None or not cached.is_graph_input() or ".encoder." not in (cached.name or ""):
        return None
    reader, turned = _only_reader(result), None
    if reader is not None and reader.op_type == "Transpose":
        reader, turned = _only_reader(reader.outputs[0]), reader
    if reader is None or reader.op_type != "MatMul" or reader.inputs[1] is not (turned or node).outputs[0]:
        return None
    return _Joined(node, (cached, computed), reader, turned)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """What all layers share.

    Args:
        frames: (2,) cached and computed ones.
        given: (1,) as many of the batch as are handed on of what was computed, or more; 0 where that has no frame.
    """

    frames: ir.Value
    given: ir.Value


def _only_reader(value: ir.Value) -> ir.Node | None:
    readers = [use.node for use in value.uses()]
    return readers[0] if len(readers) == 1 else None


def _sizes(emitter: Emitter, first: _Joined) -> _Sizes:
    """Of the frames of the first layer, which are those of every layer."""
    emitter.before(first.node, "")
    cached, computed = (emitter.op("Shape", part, start=_FRAMES, end=_FRAMES + 1) for part in first.parts)
    batch = emitter.op("Shape", first.parts[1], start=0, end=1)
    return _Sizes(emitter.op("Concat", cached, computed, axis=0), emitter.op("Mul", batch, computed))


def _take_apart(emitter: Emitter, joined: _Joined, sizes: _Sizes) -> None:
    left, node, product = joined.product.inputs[0], joined.node, joined.product
    emitter.before(product, "")
    if joined.turned is not None:
        axes = joined.turned.attributes["perm"].as_ints()
        keys = [emitter.op("Transpose", part, perm=axes) for part in joined.parts]
        taken = emitter.op("Concat", *(emitter.op("MatMul", left, part) for part in keys), axis=-1)
    else:
        shares = emitter.ops("Split", left, sizes.frames, outputs=2, axis=-1)
        taken = emitter.op("Add", *map(emitter.op, ("MatMul", "MatMul"), shares, joined.parts))
    ir.convenience.replace_all_uses_with(product.outputs[0], taken)
    emitter.before(node, "")
    first, result = emitter.integers(0), node.outputs[0]
    given = emitter.op("Slice", joined.parts[1], first, sizes.given, first)
    given.name, given.type = result.name, result.type
    given.shape = result.shape and ir.Shape([_COMPUTED[0], result.shape[1], _COMPUTED[1], result.shape[3]])
    emitter.graph.outputs[emitter.graph.outputs.index(result)] = given
    emitter.graph.remove([product, *([joined.turned] if joined.turned else []), node], safe=True)
