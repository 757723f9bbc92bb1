"""Calibrate: scales and zero points of weights and, when asked, of activations.

Before: nodes that carry a :class:`~passes.numbers.scheme.LayerScheme`.
After: ``meta.WEIGHT_QPARAMS`` on every use of a layer that is not all float, one entry a row block (None for a float
one). With ``activation_bits``, ``meta.ACTIVATION_QPARAMS`` on every linear and conv1d use of such a layer and on the
attention products, one entry a floating-point input; an embedding reads integers and gets none.

An input's codes are unsigned with a zero point, so what a softmax leaves has all of them, and what a GELU leaves all
but the few below its small minimum. With ``activation_ranges="twin"`` an attention product's softmax and a linear
layer's GELU have two ranges, see ``passes.numbers.twin``.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import fx

from passes.activation_ranges import REGISTRY as RANGES
from passes.activation_ranges.method import InputRange, SeenInput
from passes.activation_ranges.split import split_of
from passes.base import Fact, Program, ProgramPass
from passes.calibration import REGISTRY
from passes.calibration.alternate import LayerSearch, search_layer, search_product
from passes.calibration.method import ActivationRange, RangeMethod
from passes.calibration.per_frame import search_layer_per_frame, search_product_per_frame
from passes.calibration.rows_read import LayerRows, RowsRead, Searched
from passes.errors import PassError, QuantizationError
from passes.graph import meta, ops
from passes.graph.layers import Layer, bias_of, find_layers, nodes_of, weight_of
from passes.numbers.affine import QParams, qparams_from_range
from passes.numbers.dynamic_range import DynamicRange
from passes.numbers.scheme import LayerScheme, RowBlock
from passes.numbers.trellis_scales import start_scales
from passes.numbers.twin import Split
from passes.observe.activation_stats import Statistics, input_role
from passes.registry import lookup

Stored = tuple[torch.Tensor | None, torch.Tensor | None]
"""Weight and bias of a layer, where it has them."""


@dataclass(frozen=True, slots=True)
class Calibrate(ProgramPass):
    """Writes qparams.

    Args:
        method: Name in the calibration registry.
        activation_bits: Width of quantized inputs; None keeps them float.
        activation_ranges: Name in the registry of activation ranges.
        statistics: Of the layers' inputs; needed with ``activation_bits``.
        rows: Of the layers' inputs, for methods that look at values or at outputs; a search passes over a layer
            without any.
        dynamic: Linear layers whose input takes the range of each call instead.
    """

    method: str = "min_max"
    activation_bits: int | None = None
    activation_ranges: str = "single"
    statistics: Statistics = field(default_factory=dict, repr=False)
    rows: RowsRead = field(default_factory=RowsRead, repr=False)
    dynamic: frozenset[str] = frozenset()

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL, Fact.SCHEME})
    provides: ClassVar[frozenset[Fact]] = frozenset({Fact.QPARAMS})

    def run(self, program: Program) -> bool:
        """Calibrates layer by layer.

        Raises:
            QuantizationError: A weight or activation cannot be quantized as its scheme says.
            PassError: A layer has no scheme, or no statistics although its inputs are quantized.
        """
        modified = False
        for layer in find_layers(program):
            uses = list(nodes_of(program, layer))
            scheme: LayerScheme | None = meta.get(uses[0][1], meta.SCHEME)
            if layer.weight is not None and scheme is None:
                raise PassError(f"{self.name}: layer {layer.name} has no scheme", hint="run AllocateBits first")
            if scheme is not None and scheme.is_float:
                continue
            weight = None if scheme is None else weight_of(uses[0][0], layer)
            bias = next((bias for use in uses if (bias := bias_of(*use)) is not None), None)
            ranges = self._ranges(layer, [node for _, node in uses])
            weights, inputs = self._calibrate(layer, (weight, bias), scheme, ranges)
            found = (DynamicRange(),) if layer.name in self.dynamic else inputs
            for _, node in uses:
                if weights is not None:
                    modified |= meta.put(node, meta.WEIGHT_QPARAMS, weights)
                if found is not None and ops.activation_nodes(node):
                    modified |= meta.put(node, meta.ACTIVATION_QPARAMS, found)
        return modified

    @property
    def _method(self) -> RangeMethod:
        return lookup(REGISTRY, self.method, "calibration")

    def _calibrate(
        self, layer: Layer, stored: Stored, scheme: LayerScheme | None, ranges: tuple[InputRange, ...]
    ) -> Searched:
        """Qparams of the layer's blocks and of its inputs; None for what it has not and for inputs that stay float."""
        weight, bias = stored
        read = self.rows.layers.get(layer.name)
        if self._method.objective is None or read is None or (weight is None and not ranges):
            weights = None if weight is None or scheme is None else weight_qparams(weight, scheme, self._method)
            with _named(f"layer {layer.name}, inputs"):
                return weights, tuple(found.start() for found in ranges) or None
        key = (layer.name, scheme, self.method, ranges)
        if key not in self.rows.searched:
            with _named(f"layer {layer.name}"):
                self.rows.searched[key] = _search((weight, bias), scheme, (ranges, read), self._method)
        return self.rows.searched[key]

    def _ranges(self, layer: Layer, nodes: Sequence[fx.Node]) -> tuple[InputRange, ...]:
        """The range of each input that is quantized."""
        if self.activation_bits is None:
            return ()
        with_inputs = [inputs for node in nodes if (inputs := ops.activation_nodes(node))]
        splits = [{split_of(source, layer.kind) for source in sources} for sources in zip(*with_inputs, strict=True)]
        return tuple(
            self._range(layer.name, index, self.activation_bits, found.pop() if len(found) == 1 else None)
            for index, found in enumerate(splits)
        )

    def _range(self, layer: str, index: int, bits: int, split: Split | None) -> InputRange:
        ranges = lookup(RANGES, self.activation_ranges, "activation ranges")
        needs_values = self._method.input_needs.rows or (ranges.needs.rows and split is Split.SIZE)
        role = input_role(index)
        stats, read = self.statistics.get((layer, role)), self.rows.layers.get(layer)
        if stats is None or (needs_values and read is None):
            raise PassError(
                f"{self.name}: layer {layer} has no {'statistics' if stats is None else 'rows'} of {role}",
                hint="run the observed graphs on clips that reach every layer",
            )
        values = read.values(index) if read is not None and needs_values else torch.empty(0)
        low, high = self._method.activation(ActivationRange(stats, values, bits))
        return ranges.make(SeenInput(low, high, bits, split, values))


def _search(
    stored: Stored,
    scheme: LayerScheme | None,
    inputs: tuple[tuple[InputRange, ...], LayerRows],
    method: RangeMethod,
) -> Searched:
    """Qparams by the layer's output."""
    ranges, read = inputs
    if method.objective is None:
        raise QuantizationError("a search without an objective")
    weight, bias = stored
    objective = method.objective
    read = objective.weighing(read) if objective.weighing is not None else read
    if weight is None or scheme is None:
        left, right = ranges
        return (search_product_per_frame if objective.per_frame else search_product)(read, (left, right), objective)
    matrix = weight.detach().reshape(len(weight), -1)
    compared = bias.detach() if bias is not None and objective.with_bias else None
    search = LayerSearch(matrix, scheme, read, method, ranges[0] if ranges else None, compared)
    return (search_layer_per_frame if objective.per_frame else search_layer)(search, objective)


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Puts ``place`` in front of what a quantization error says."""
    try:
        yield
    except QuantizationError as error:
        raise QuantizationError(f"{place}: {error.message}", hint=error.hint) from error


def weight_qparams(weight: torch.Tensor, scheme: LayerScheme, method: RangeMethod) -> tuple[QParams | None, ...]:
    """Scales and zero points of each block of rows; None for a float block.

    Args:
        weight: Rows first, any further axes.
        scheme: Of its layer.
        method: Chooses the ranges.

    Raises:
        QuantizationError: The scheme is for another number of rows, or a range cannot be quantized.
    """
    matrix = weight.detach().reshape(weight.shape[0], -1)
    if scheme.rows != matrix.shape[0]:
        raise QuantizationError(f"layer {scheme.layer}: scheme of {scheme.rows} rows, expected {matrix.shape[0]}")
    with _named(f"layer {scheme.layer}"):
        return tuple(_block_qparams(matrix[block.start : block.stop], block, method) for block in scheme.blocks)


def _block_qparams(rows: torch.Tensor, block: RowBlock, method: RangeMethod) -> QParams | None:
    spec = block.spec
    if spec.is_float:
        return None
    cols = rows.shape[1]
    group = spec.granularity.group_of(cols)
    if spec.is_trellis:
        return start_scales(rows, group)
    groups = rows.reshape(1, 1, -1) if spec.granularity.kind == "tensor" else rows.reshape(len(rows), -1, group)
    low, high = method.weight(groups, spec.bits, spec.symmetric)
    return qparams_from_range(low, high, spec.bits, spec.symmetric, group)
