"""RoundWeights: integer codes for every quantized weight.

Before: nodes that carry a scheme and, unless it is all float, the qparams of its blocks.
After: ``meta.QUANTIZED_WEIGHT`` (:class:`~passes.numbers.quantized_weight.QuantizedWeight`) on every use of every layer
with a weight that does not stay in float32. The float weights themselves stay until a lowering replaces them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

import torch

from passes.base import Fact, Program, ProgramPass
from passes.errors import PassError, QuantizationError
from passes.graph import meta
from passes.graph.layers import find_layers, nodes_of, weight_of
from passes.numbers.affine import QParams
from passes.numbers.quantized_weight import FloatBlock, QuantizedBlock, QuantizedWeight
from passes.numbers.scheme import FLOAT_BITS, LayerScheme, RowBlock
from passes.numbers.trellis import NO_TABLES, Tables
from passes.registry import lookup
from passes.rounding import REGISTRY
from passes.rounding.method import Rounding, Strings
from passes.rounding.rounded import Rounded
from passes.rounding.trellis_rounding import no_strings

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class RoundWeights(ProgramPass):
    """Rounds layer by layer.

    Args:
        method: Name in the rounding registry, for every layer; None takes the one that each scheme names.
        grams: Layer name to the Gram matrix (K, K) of its inputs; a layer without one is rounded without.
        known: Layer name to its weight, rounded already to what its scheme says.
        tables: Bits to the (4096,) levels of trellis codes of that width; without them, strings are all zeros, which
            take as many bytes.
        importance: Layer name to (N,) what errors of its rows cost, beside each other; without it, all alike.
    """

    method: str | None = None
    grams: Mapping[str, torch.Tensor] = field(default_factory=dict, repr=False)
    known: Mapping[str, QuantizedWeight] = field(default_factory=dict, repr=False)
    tables: Tables = field(default_factory=dict, repr=False)
    importance: Mapping[str, torch.Tensor] = field(default_factory=dict, repr=False)

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL, Fact.SCHEME, Fact.QPARAMS})
    provides: ClassVar[frozenset[Fact]] = frozenset({Fact.ROUNDED})

    def run(self, program: Program) -> bool:
        """Rounds the weight of every layer once and annotates all its uses.

        Raises:
            PassError: A layer has no scheme or no qparams.
            QuantizationError: A weight does not fit its qparams.
        """
        modified = False
        for layer in find_layers(program):
            uses = list(nodes_of(program, layer))
            scheme: LayerScheme | None = meta.get(uses[0][1], meta.SCHEME)
            if layer.weight is None or (scheme is not None and _stays(scheme)):
                continue
            qparams = meta.get(uses[0][1], meta.WEIGHT_QPARAMS)
            if scheme is None or (qparams is None and not scheme.is_float):
                raise PassError(f"{self.name}: layer {layer.name} has no qparams", hint="run Calibrate first")
            weight = self.known.get(layer.name)
            if weight is None:
                rounding = lookup(REGISTRY, self.method or scheme.rounding, "rounding")
                known = self.grams.get(layer.name), self.tables, self.importance.get(layer.name)
                weight = round_weight(weight_of(uses[0][0], layer), scheme, qparams, rounding, *known)
            for _, node in uses:
                modified |= meta.put(node, meta.QUANTIZED_WEIGHT, weight)
        return modified


def round_weight(
    weight: torch.Tensor,
    scheme: LayerScheme,
    qparams: tuple[QParams | None, ...] | None,
    rounding: Rounding,
    gram: torch.Tensor | None = None,
    tables: Tables = NO_TABLES,
    importance: torch.Tensor | None = None,
) -> QuantizedWeight:
    """Codes or rounded floats for each block of rows.

    Args:
        weight: Rows first, any further axes.
        scheme: Of its layer.
        qparams: One a block; None for float blocks, or when all blocks are float.
        rounding: Method.
        gram: (K, K) of the layer's inputs, where it is known.
        tables: Of trellis codes, as in :class:`RoundWeights`.
        importance: (N,) of its rows, likewise.

    Raises:
        QuantizationError: A block does not fit its qparams, or its values lie beyond float16.
    """
    matrix = weight.detach().reshape(weight.shape[0], -1)
    every = tuple(zip(scheme.blocks, qparams or (None,) * len(scheme.blocks), strict=True))

    def block_of(one: tuple[RowBlock, QParams | None]) -> QuantizedBlock | FloatBlock:
        block, params = one
        rows = matrix[block.start : block.stop]
        if params is None:
            return _float_block(rows, block)
        own = None if importance is None else importance[block.start : block.stop]
        strings = _strings(block, matrix.shape[1], tables, own)
        return _codes_block(block, _rounded(rows, block, params, rounding, strings, gram))

    try:
        return QuantizedWeight(tuple(weight.shape), tuple(_side_by_side(block_of, every)))
    except QuantizationError as error:
        raise QuantizationError(f"layer {scheme.layer}: {error.message}", hint=error.hint) from error


def _side_by_side(run: Callable[[_Given], _Made], every: Sequence[_Given]) -> list[_Made]:
    """What ``run`` makes of each, on as many cores as torch takes: searches for strings run on one each."""
    threads = min(torch.get_num_threads(), len(every))
    if threads == 1:
        return [run(one) for one in every]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(run, every))
    finally:
        torch.set_num_threads(before)


def _strings(block: RowBlock, cols: int, tables: Tables, importance: torch.Tensor | None) -> Strings | None:
    """What strings a block is searched for; None without tables."""
    return Strings(block.spec.column_bits(cols), tables, importance) if tables else None


def _rounded(
    rows: torch.Tensor,
    block: RowBlock,
    qparams: QParams,
    rounding: Rounding,
    strings: Strings | None,
    gram: torch.Tensor | None,
) -> Rounded:
    """Codes of one block."""
    if not block.spec.is_trellis:
        return rounding.run(rows, qparams, gram)
    if rounding.trellis is None:
        raise QuantizationError("this rounding method knows no trellis codes", hint="take --format affine")
    if strings is None:
        return no_strings(rows, qparams, block.spec.column_bits(rows.shape[1]))
    return rounding.trellis(rows, qparams, gram, strings)


def _stays(scheme: LayerScheme) -> bool:
    return all(block.spec.bits == FLOAT_BITS for block in scheme.blocks)


def _codes_block(block: RowBlock, found: Rounded) -> QuantizedBlock:
    return QuantizedBlock(block, found.codes, found.qparams, found.fallbacks, found.trellis, found.damping)


def _float_block(rows: torch.Tensor, block: RowBlock) -> FloatBlock:
    return FloatBlock(block, rows.half().float() if block.spec.half else rows)
