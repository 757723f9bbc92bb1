"""Calibrate: scales and zero points of weights and, when asked, of activations.

Before: nodes that carry a :class:`~passes.scheme.LayerScheme`.
After: ``meta.WEIGHT_QPARAMS`` on every use of a layer that is not all float, one entry a row block (None for a float
one). With ``activation_bits``, ``meta.ACTIVATION_QPARAMS`` on every linear and conv1d use of such a layer and on the
attention products, one entry a floating-point input; an embedding reads integers and gets none.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import fx

from passes import meta, ops
from passes.activation_stats import Statistics, input_role
from passes.affine import QParams, activation_qparams, qparams_from_range
from passes.base import Fact, Program, ProgramPass
from passes.calibration import REGISTRY
from passes.calibration.method import Calibration
from passes.errors import PassError, QuantizationError
from passes.layers import Layer, find_layers, nodes_of, weight_of
from passes.registry import lookup
from passes.scheme import LayerScheme, RowBlock


@dataclass(frozen=True, slots=True)
class Calibrate(ProgramPass):
    """Writes qparams.

    Args:
        method: Name in the calibration registry.
        activation_bits: Width of quantized inputs; None keeps them float.
        activation_symmetric: Zero in the middle of the codes of activations.
        statistics: Of the layers' inputs; needed with ``activation_bits``.
    """

    method: str = "min_max"
    activation_bits: int | None = None
    activation_symmetric: bool = False
    statistics: Statistics = field(default_factory=dict, repr=False)

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL, Fact.SCHEME})
    provides: ClassVar[frozenset[Fact]] = frozenset({Fact.QPARAMS})

    def run(self, program: Program) -> bool:
        """Calibrates layer by layer.

        Raises:
            QuantizationError: A weight or activation cannot be quantized as its scheme says.
            PassError: A layer has no scheme, or no statistics although its inputs are quantized.
        """
        method = lookup(REGISTRY, self.method, "calibration")
        modified = False
        for layer in find_layers(program):
            uses = list(nodes_of(program, layer))
            scheme: LayerScheme | None = meta.get(uses[0][1], meta.SCHEME)
            if layer.weight is not None and scheme is None:
                raise PassError(f"{self.name}: layer {layer.name} has no scheme", hint="run AllocateBits first")
            if scheme is not None and scheme.is_float:
                continue
            if scheme is not None:
                qparams = weight_qparams(weight_of(uses[0][0], layer), scheme, method)
                for _, node in uses:
                    modified |= meta.put(node, meta.WEIGHT_QPARAMS, qparams)
            if self.activation_bits is not None:
                modified |= self._calibrate_inputs(layer, [node for _, node in uses], method)
        return modified

    def _calibrate_inputs(self, layer: Layer, nodes: list[fx.Node], method: Calibration) -> bool:
        modified = False
        for node in nodes:
            if inputs := ops.activation_nodes(node):
                qparams = tuple(self._input_qparams(layer.name, i, method) for i in range(len(inputs)))
                modified |= meta.put(node, meta.ACTIVATION_QPARAMS, qparams)
        return modified

    def _input_qparams(self, layer: str, index: int, method: Calibration) -> QParams:
        role = input_role(index)
        stats = self.statistics.get((layer, role))
        if stats is None:
            raise PassError(
                f"{self.name}: layer {layer} has no statistics of {role}",
                hint="run the observed graphs on clips that reach every layer",
            )
        low, high = method.activation(stats)
        try:
            return activation_qparams(low, high, self.activation_bits or 0, self.activation_symmetric)
        except QuantizationError as error:
            raise QuantizationError(f"layer {layer}, {role}: {error.message}", hint=error.hint) from error


def weight_qparams(weight: torch.Tensor, scheme: LayerScheme, method: Calibration) -> tuple[QParams | None, ...]:
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
    try:
        return tuple(_block_qparams(matrix[block.start : block.stop], block, method) for block in scheme.blocks)
    except QuantizationError as error:
        raise QuantizationError(f"layer {scheme.layer}: {error.message}", hint=error.hint) from error


def _block_qparams(rows: torch.Tensor, block: RowBlock, method: Calibration) -> QParams | None:
    spec = block.spec
    if spec.is_float:
        return None
    cols = rows.shape[1]
    group = spec.granularity.group_of(cols)
    groups = rows.reshape(1, 1, -1) if spec.granularity.kind == "tensor" else rows.reshape(len(rows), -1, group)
    low, high = method.weight(groups, spec.bits, spec.symmetric)
    return qparams_from_range(low, high, spec.bits, spec.symmetric, group)
