"""LowerToQDQ: nodes that hold packed integers, scales and zero points, ready for export.

Before::

    %w = get_attr[fc1.weight]                              # float32 (N, K), meta: quantized weight
    %y = aten.linear(%x, %w, %b)

After, one product a block of rows::

    %w0 = myqasr.dequantize_weight(%packed, %scale, %zero_point, bits, (N, K), "matmul")       # (K, N)
    %y0 = aten.matmul(%x, %w0)
    %y  = aten.add(aten.cat([%y0, …], -1), %b)

Activations that carry qparams go through ``quantize_dequantize`` or ``quantize_dynamic``; the weights they meet take
the ``integer`` form. An embedding becomes ``dequantize_rows``, which touches only the looked-up rows of the same packed
buffer; adjacent blocks of trellis strings, one ``dequantize_strings``. A convolution, or a linear whose input width no
low-bit kernel takes, gets its weight in the ``folded`` form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import ClassVar, cast

import torch
from torch import fx

from passes.base import Fact, GraphPass
from passes.errors import QuantizationError
from passes.graph import meta
from passes.graph.graph_edit import call, constant, drop_unused_tensors
from passes.graph.ops import role_of, weight_node
from passes.lowering.input_ranges import InputRange, InputRounding, forget
from passes.lowering.products_apart import stands_apart
from passes.lowering.qdq_ops import FORM_FOLDED, FORM_INTEGER, FORM_MATMUL, FORM_ROWS, weight_form
from passes.numbers.affine import QParams, zero_point_bits
from passes.numbers.dynamic_range import DynamicRange
from passes.numbers.packing import join, pack
from passes.numbers.quantized_weight import FloatBlock, QuantizedBlock, QuantizedWeight
from passes.numbers.scheme import FLOAT_BITS, HALF_BITS, MAX_PACKED_BITS

aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class LowerToQDQ(GraphPass):
    """Replaces each node with a quantized weight by nodes over packed integers."""

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL, Fact.ROUNDED})
    provides: ClassVar[frozenset[Fact]] = frozenset({Fact.QDQ})
    removes: ClassVar[frozenset[Fact]] = frozenset(Fact) - {Fact.QDQ}

    def run_graph(self, module: fx.GraphModule) -> bool:
        """Lowers every node that carries a quantized weight or activation qparams.

        Raises:
            QuantizationError: A width is too large to be packed, or an input has two ranges.
        """
        modified = False
        round_inputs = InputRounding(_quantize_dequantize)
        stored: dict[fx.Node, list[_Block]] = {}
        for node in list(module.graph.nodes):
            integer = round_inputs(node)
            source, weight = weight_node(node), meta.get(node, meta.QUANTIZED_WEIGHT)
            forget(node)
            if source is not None and weight is not None:
                if source not in stored:
                    stored[source] = _store(module, source, weight, str(meta.get(node, meta.LAYER)))
                _lower(node, source, stored[source], integer)
            modified |= integer or weight is not None
        if modified:
            module.graph.eliminate_dead_code()
            drop_unused_tensors(module)
        return modified


@dataclass(frozen=True, slots=True)
class _Block:
    """One block of rows in the graph.

    Args:
        start: First row.
        shape: Of the block, (n, …) like the weight's own.
        bits: 1 to 8; None for floats.
        tensors: Readers of packed codes, scales and zero points (None when symmetric), or of the float values alone.
        trellis: Readers of the tables and the gains of a trellis.
    """

    start: int
    shape: tuple[int, ...]
    bits: int | None
    tensors: tuple[fx.Node | None, ...]
    trellis: tuple[fx.Node, ...] = ()

    def values(self, graph: fx.Graph, form: str) -> fx.Node:
        """Float32 values, arranged as ``form`` says."""
        if self.bits is not None:
            op = torch.ops.myqasr.dequantize_weight.default
            return call(graph, op, *self.tensors, self.bits, list(self.shape), form, *self.trellis)
        (values,) = self.tensors
        if values is None or form != FORM_FOLDED:
            return call(graph, aten.t.default, values)
        return values

    @property
    def groups(self) -> int | None:
        """Scales a row of a trellis; None of all else."""
        scale = self.tensors[1] if self.trellis else None
        return None if scale is None else len(scale.meta["val"])


def _quantize_dequantize(value: fx.Node, qparams: InputRange) -> fx.Node:
    if isinstance(qparams, DynamicRange):
        return call(value.graph, torch.ops.myqasr.quantize_dynamic.default, value, like=value)
    if not isinstance(qparams, QParams):
        raise QuantizationError(
            f"node {value.name}: two ranges of an activation cannot be stored in a file: QuantizeLinear has one scale "
            "and one zero point a tensor",
            hint="take single ranges; LowerToFakeQuant evaluates two",
        )
    op = torch.ops.myqasr.quantize_dequantize.default
    return call(value.graph, op, value, float(qparams.scale), int(qparams.zero_point), qparams.bits, like=value)


def _store(module: fx.GraphModule, source: fx.Node, weight: QuantizedWeight, layer: str) -> list[_Block]:
    """Buffers with the blocks of ``weight``, and in front of its old reader the readers of those."""
    found = []
    with module.graph.inserting_before(source):
        for index, block in enumerate(weight.blocks):
            name, shape = f"{source.target}_block{index}", (block.rows.rows, *weight.shape[1:])
            if isinstance(block, FloatBlock):
                values = constant(module, name, block.values.reshape(shape))
                found.append(_Block(block.rows.start, shape, None, (values,)))
                continue
            bits = block.rows.spec.bits
            if bits > MAX_PACKED_BITS:
                nearest = min((MAX_PACKED_BITS, HALF_BITS, FLOAT_BITS), key=lambda width: abs(width - bits))
                raise QuantizationError(
                    f"layer {layer}: integer codes of {bits} bits cannot be stored in a file",
                    hint=f"the nearest choice is {nearest}; LowerToFakeQuant evaluates any width",
                )
            found.append(
                _Block(block.rows.start, shape, bits, _packed(module, name, block), _trellis(module, name, block))
            )
    return found


def _trellis(module: fx.GraphModule, name: str, block: QuantizedBlock) -> tuple[fx.Node, ...]:
    """Buffers of the tables and of float16 gains, and their readers; none of affine codes."""
    codes = block.trellis
    if codes is None:
        return ()
    gains = torch.from_numpy(codes.gains).to(torch.float16)
    return constant(module, f"{name}_table", torch.from_numpy(codes.tables)), constant(module, f"{name}_gains", gains)


def _packed(module: fx.GraphModule, name: str, block: QuantizedBlock) -> tuple[fx.Node, fx.Node, fx.Node | None]:
    """Buffers of packed codes, float16 scales and packed zero points (None when symmetric), and their readers."""
    qparams = block.qparams
    if block.trellis is not None:
        codes = torch.from_numpy(block.trellis.stored())
    else:
        codes = torch.from_numpy(join(pack(block.codes.t().contiguous().numpy(), qparams.bits)))
    packed = constant(module, f"{name}_packed", codes)
    scale = constant(module, f"{name}_scale", qparams.scale.t().contiguous().to(torch.float16))
    if qparams.symmetric:
        return packed, scale, None
    zeros = qparams.zero_point.t().contiguous().to(torch.uint8).numpy()
    stored = torch.from_numpy(join(pack(zeros, zero_point_bits(qparams.bits))))
    return packed, scale, constant(module, f"{name}_zero_point", stored)


def _lower(node: fx.Node, source: fx.Node, blocks: Sequence[_Block], integer: bool) -> None:
    """Replaces ``node``, which reads the weight ``source``, by its lowered form."""
    role = role_of(node)
    form = weight_form(role.kind if role else None, prod(blocks[0].shape[1:]), integer)
    with node.graph.inserting_before(node):
        if form in (FORM_INTEGER, FORM_MATMUL):
            result = _linear(node, blocks, form)
        elif form == FORM_ROWS:
            result = _embedding(node, blocks)
        else:
            node.replace_input_with(source, _joined(node, [b.values(node.graph, FORM_FOLDED) for b in blocks], 0))
            return
    result.meta = {**result.meta, **{k: v for k, v in node.meta.items() if k in meta.ALL or k == "val"}}
    node.replace_all_uses_with(result)
    node.graph.erase_node(node)


def _linear(node: fx.Node, blocks: Sequence[_Block], form: str) -> fx.Node:
    """One matrix product a block, joined along the outputs, plus the bias."""
    graph, x = node.graph, node.args[0]
    bias = node.args[2] if len(node.args) > 2 else None
    apart = len(blocks) == 1 and stands_apart(node)
    x = call(graph, aten.unsqueeze.default, x, 0, like=node) if apart else x
    products = [call(graph, aten.matmul.default, x, block.values(graph, form), like=node) for block in blocks]
    result = _joined(node, products, -1)
    result = call(graph, aten.squeeze.dim, result, 0, like=node) if apart else result
    return result if bias is None else call(graph, aten.add.Tensor, result, bias, like=node)


def _embedding(node: fx.Node, blocks: Sequence[_Block]) -> fx.Node:
    """Rows of each run of blocks, chosen by index where there are several runs."""
    graph, indices, runs = node.graph, cast(fx.Node, node.args[1]), list(_runs(blocks))
    if len(runs) == 1:
        return _rows(graph, runs[0], indices)
    parts = []
    for run in runs:
        local = call(graph, aten.sub.Tensor, indices, run[0].start, like=node)
        last = sum(block.shape[0] for block in run) - 1
        parts.append(_rows(graph, run, call(graph, aten.clamp.default, local, 0, last, like=node)))
    result = parts[0]
    for run, rows in zip(runs[1:], parts[1:], strict=True):
        here = call(graph, aten.ge.Scalar, indices, run[0].start, like=node)
        result = call(graph, aten.where.self, call(graph, aten.unsqueeze.default, here, -1), rows, result, like=node)
    return result


def _runs(blocks: Sequence[_Block]) -> Iterator[Sequence[_Block]]:
    """Adjacent blocks that one lookup reads: those of strings with as many scales a row."""
    for groups, run in groupby(blocks, key=lambda block: block.groups):
        together = list(run)
        yield from [together] if groups is not None else ([block] for block in together)


def _rows(graph: fx.Graph, run: Sequence[_Block], indices: fx.Node) -> fx.Node:
    """Float32 rows at ``indices``, counted from the first of the run."""
    first, ops = run[0], torch.ops.myqasr
    if first.bits is None:
        return call(graph, aten.embedding.default, *first.tensors, indices)
    if not first.trellis:
        return call(graph, ops.dequantize_rows.default, indices, *first.tensors, first.bits, list(first.shape))
    stored = [(*block.tensors[:2], *block.trellis) for block in run]
    widths, rows = [block.bits for block in run], [block.shape[0] for block in run]
    tensors = [list(of_all) for of_all in zip(*stored, strict=True)]
    return call(graph, ops.dequantize_strings.default, indices, *tensors, widths, rows)


def _joined(node: fx.Node, parts: Sequence[fx.Node], dim: int) -> fx.Node:
    return parts[0] if len(parts) == 1 else call(node.graph, aten.cat.default, list(parts), dim, like=node)
