"""Histograms and errors of the rounded weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from myqasr_fx.report.record import Histogram, LayerDetail
from passes.base import Program
from passes.graph import meta
from passes.graph.layers import Layer, nodes_of, weight_of
from passes.numbers.affine import QParams, code_dtype, dequantize
from passes.numbers.quantized_weight import QuantizedBlock, QuantizedWeight

SCALE_BINS = 24
CODE_BINS = 32

_TOGETHER = 1 << 22
"""Weights that are floats at once: of all words of a model they would take a gigabyte."""


def layer_details(program: Program, layers: Sequence[Layer]) -> dict[str, LayerDetail]:
    """Layer name to what rounding did to its weights; layers in float are left out.

    Args:
        program: With quantized weights in its metadata and the original weights in its modules.
        layers: Of the program.
    """
    details = {}
    for layer in layers:
        module, node = next(nodes_of(program, layer))
        weight: QuantizedWeight | None = meta.get(node, meta.QUANTIZED_WEIGHT)
        blocks = [block for block in weight.blocks if isinstance(block, QuantizedBlock)] if weight else []
        if blocks:
            details[layer.name] = _detail(weight_of(module, layer).detach().reshape(layer.rows, -1), blocks)
    return details


def _detail(original: torch.Tensor, blocks: Sequence[QuantizedBlock]) -> LayerDetail:
    outside = 0
    signal = noise = 0.0
    bins = min(CODE_BINS, *(1 << block.qparams.bits for block in blocks))
    codes = torch.zeros(bins, dtype=torch.int64)
    for block in blocks:
        for rows, part, qparams in _parts(original, block):
            highest = (1 << qparams.bits) - 1
            counts = torch.bincount(part.reshape(-1).int(), minlength=highest + 1)
            codes += counts.reshape(bins, -1).sum(1)
            error = rows - dequantize(part, qparams)
            signal += float(rows.double().square().sum())
            noise += float(error.double().square().sum())
            outside += _outside(rows, qparams)
    total = int(codes.sum())
    return LayerDetail(
        scales=_scales(torch.cat([block.qparams.scale.reshape(-1) for block in blocks])),
        codes=Histogram(0.0, 1.0, tuple(codes.tolist())),
        clipped=float(f"{outside / total:.3g}"),
        sqnr_db=round(10 * math.log10(signal / noise), 2) if signal and noise else None,
        damping=max((block.damping for block in blocks if block.damping is not None), default=None),
    )


def _parts(original: torch.Tensor, block: QuantizedBlock) -> Iterator[tuple[torch.Tensor, torch.Tensor, QParams]]:
    """Weights of some rows after the other, with their codes and scales."""
    weights, qparams = original[block.rows.start : block.rows.stop], block.qparams
    size = max(1, _TOGETHER // block.cols)
    for start in range(0, len(weights), size):
        rows = slice(start, start + size)
        yield weights[rows], block.codes[rows], qparams if len(qparams.scale) == 1 else qparams.part(rows)


def _outside(rows: torch.Tensor, qparams: QParams) -> int:
    """Weights that lie more than half a scale below the lowest or above the highest level."""
    highest, codes = (1 << qparams.bits) - 1, torch.zeros(rows.shape, dtype=code_dtype(qparams.bits))
    lowest, top = dequantize(codes, qparams), dequantize(codes + highest, qparams)
    margin = (top - lowest) / (2 * highest)
    return int(((rows < lowest - margin) | (rows > top + margin)).sum())


def _scales(scale: torch.Tensor) -> Histogram:
    logs = scale.double().log10()
    low, high = round(float(logs.min()), 3), round(float(logs.max()), 3)
    counts = torch.histc(logs.float(), SCALE_BINS, min=low, max=high) if low < high else torch.tensor([scale.numel()])
    return Histogram(low, high, tuple(int(count) for count in counts))
