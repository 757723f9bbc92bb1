"""LowerToFakeQuant: compute with quantized values in plain ATen operators.

Before::

    %w = get_attr[fc1.weight]                              # float32 (N, K), meta: quantized weight
    %y = aten.linear(%x, %w, %b)

After::

    %codes = get_attr[fc1.weight_block0_codes]             # uint8 (N, K), int32 above 8 bits
    %w     = (float32(%codes) * step - %zero_point) * %scale     # of a trellis, times gains
    %y     = aten.linear(fake_quantize(%x), %w, %b)        # the input's rounding only with activation bits

The graph holds integers and scales, so ``torch.export.save`` keeps them bit for bit, and no custom operator, so
``torch.compile(fullgraph=True)`` takes it whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import fx

from passes.base import Fact, GraphPass
from passes.graph import meta
from passes.graph.graph_edit import call, constant, drop_unused_tensors
from passes.graph.ops import weight_node
from passes.lowering.input_ranges import InputRange, InputRounding, forget
from passes.numbers.affine import QParams, step
from passes.numbers.dynamic_range import DynamicRange
from passes.numbers.quantized_weight import QuantizedBlock, QuantizedWeight
from passes.numbers.scheme import MAX_PACKED_BITS
from passes.numbers.twin import Split, TwinQParams

aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class LowerToFakeQuant(GraphPass):
    """Replaces each quantized weight by its codes and the arithmetic that dequantizes them, where layers read it."""

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL, Fact.ROUNDED})
    provides: ClassVar[frozenset[Fact]] = frozenset({Fact.FAKE_QUANT})
    removes: ClassVar[frozenset[Fact]] = frozenset(Fact) - {Fact.FAKE_QUANT}

    def run_graph(self, module: fx.GraphModule) -> bool:
        """Rewrites every node that carries a quantized weight or activation qparams."""
        modified = False
        round_inputs, replacements = InputRounding(_rounded), dict[fx.Node, fx.Node]()
        for node in list(module.graph.nodes):
            modified |= round_inputs(node)
            source, weight = weight_node(node), meta.get(node, meta.QUANTIZED_WEIGHT)
            forget(node)
            if source is not None and weight is not None:
                if source not in replacements:
                    with module.graph.inserting_before(source):
                        replacements[source] = dequantized(module, str(source.target), weight)
                node.replace_input_with(source, replacements[source])
            modified |= weight is not None
        for source in replacements:
            if not source.users:
                module.graph.erase_node(source)
        if modified:
            drop_unused_tensors(module)
        return modified


def _rounded(value: fx.Node, qparams: InputRange) -> fx.Node:
    if isinstance(qparams, DynamicRange):
        return _in_the_range_of_the_call(value)
    return _in_one_range(value, qparams) if isinstance(qparams, QParams) else _in_two_ranges(value, qparams)


def _in_one_range(value: fx.Node, qparams: QParams) -> fx.Node:
    """``(clip(round(x / scale) + zero_point, 0, top) - zero_point) * scale`` in single steps.

    ``aten.fake_quantize_per_tensor_affine`` multiplies by 1 / scale and so rounds some values the other way than
    QuantizeLinear, which divides.
    """
    scale, zero_point, top = float(qparams.scale), int(qparams.zero_point), (1 << qparams.bits) - 1
    return _there_and_back(value, scale, zero_point, top)


def _there_and_back(value: fx.Node, scale: fx.Node | float, zero_point: fx.Node | int, top: int) -> fx.Node:
    for op, *args in (
        (aten.div.Tensor, scale),
        (aten.round.default,),
        (aten.add.Tensor, zero_point),
        (aten.clamp.default, 0, top),
        (aten.sub.Tensor, zero_point),
        (aten.mul.Tensor, scale),
    ):
        value = call(value.graph, op, value, *args, like=value)
    return value


def _in_the_range_of_the_call(value: fx.Node) -> fx.Node:
    """The same with the scale and zero point of this call, see :class:`passes.numbers.dynamic_range.DynamicRange`."""
    graph = value.graph
    low = call(graph, aten.clamp_max.default, call(graph, aten.amin.default, value), 0)
    high = call(graph, aten.clamp_min.default, call(graph, aten.amax.default, value), 0)
    width = call(graph, aten.div.Tensor, call(graph, aten.sub.Tensor, high, low), 255)
    silent = call(graph, aten.eq.Scalar, width, 0)
    scale = call(graph, aten.where.ScalarSelf, silent, 1.0, width)
    zero_point = call(
        graph, aten.round.default, call(graph, aten.div.Tensor, call(graph, aten.neg.default, low), scale)
    )
    return _there_and_back(value, scale, zero_point, 255)


def _in_two_ranges(value: fx.Node, qparams: TwinQParams) -> fx.Node:
    """``where(near, clip(round(x / fine)) * fine, clip(round(x / coarse), 0, top) * coarse)``."""

    def add(op: Any, *args: object) -> fx.Node:
        return call(value.graph, op, *args, like=value)

    fine, far = (
        add(aten.round.default, add(aten.div.Tensor, value, scale)) for scale in (qparams.fine, qparams.coarse)
    )
    if qparams.split is Split.SIZE:
        is_near = add(aten.le.Scalar, fine, qparams.top)
    else:
        is_near = add(aten.lt.Scalar, value, 0)
    near = add(aten.mul.Tensor, add(aten.clamp.default, fine, *qparams.near), qparams.fine)
    far = add(aten.mul.Tensor, add(aten.clamp.default, far, 0, qparams.top), qparams.coarse)
    return add(aten.where.self, is_near, near, far)


def dequantized(module: fx.GraphModule, target: str, weight: QuantizedWeight) -> fx.Node:
    """Nodes that compute the weight of ``weight.shape`` from its blocks, inserted at the insertion point."""
    graph = module.graph
    blocks = []
    for index, block in enumerate(weight.blocks):
        name = f"{target}_block{index}"
        if isinstance(block, QuantizedBlock):
            blocks.append(_dequantized_block(module, name, block))
        else:
            blocks.append(constant(module, name, block.values))
    matrix = blocks[0] if len(blocks) == 1 else call(graph, aten.cat.default, blocks, 0)
    return call(graph, aten.view.default, matrix, list(weight.shape))


def _dequantized_block(module: fx.GraphModule, name: str, block: QuantizedBlock) -> fx.Node:
    """(n, K) float32 values of one block."""
    graph, qparams = module.graph, block.qparams
    rows, groups = block.codes.shape[0], qparams.scale.shape[1]
    wide = torch.float32 if qparams.bits <= MAX_PACKED_BITS else torch.float64
    codes = call(graph, aten._to_copy.default, constant(module, f"{name}_codes", block.codes))
    codes.kwargs = {"dtype": wide}
    codes = call(graph, aten.view.default, codes, [rows, groups, -1])
    distance = step(qparams.bits, qparams.symmetric)
    if distance != 1:
        codes = call(graph, aten.mul.Tensor, codes, distance)
    zero_point = constant(module, f"{name}_zero_point", qparams.zero_point.to(wide).unsqueeze(-1))
    scale = constant(module, f"{name}_scale", qparams.scale.to(wide).unsqueeze(-1))
    values = call(graph, aten.mul.Tensor, call(graph, aten.sub.Tensor, codes, zero_point), scale)
    values = call(graph, aten.view.default, values, list(block.codes.shape))
    if wide is not torch.float32:
        values = call(graph, aten._to_copy.default, values)
        values.kwargs = {"dtype": torch.float32}
    if block.trellis is not None:
        gains = constant(module, f"{name}_gains", torch.from_numpy(block.trellis.gains))
        values = call(graph, aten.mul.Tensor, values, gains)
    return values
