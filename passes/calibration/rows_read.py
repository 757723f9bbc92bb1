"""What layers read on the user's clips, a bounded number of rows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from passes.errors import QuantizationError
from passes.numbers.affine import QParams
from passes.numbers.twin import ActivationQParams


@dataclass(frozen=True, slots=True, eq=False)
class LayerRows:
    """Rows of what one layer reads, in parts that are multiplied apart.

    A layer with a weight has one part, a grouped convolution one a group, whose inputs are the patches (C_in * k, or
    those of the group) that meet a kernel. A product of activations has one part for each pair of matrices kept.

    Args:
        inputs: (S, K) rows of each part.
        others: (n, K) of each part, the right operand with its columns as rows; empty for a layer with a weight.
        gradients: (S, n) of each part, of the log-probability of the model's own tokens with respect to the product of
            ``inputs`` with the weight or with ``others``; empty when nobody asked.
    """

    inputs: tuple[Tensor, ...]
    others: tuple[Tensor, ...] = ()
    gradients: tuple[Tensor, ...] = ()

    def __post_init__(self) -> None:
        counts = {len(parts) for parts in (self.inputs, self.others, self.gradients) if parts}
        if not self.inputs or len(counts) != 1:
            raise QuantizationError(f"rows of {len(self.inputs)}, {len(self.others)}, {len(self.gradients)} parts")

    def values(self, index: int) -> Tensor:
        """All values read of the layer's ``index``-th input, (M,)."""
        return torch.cat([part.reshape(-1) for part in (self.others if index else self.inputs)])


Searched = tuple[tuple[QParams | None, ...] | None, tuple[ActivationQParams, ...] | None]
"""Qparams of a layer's blocks (None for a product) and of its inputs (None when they stay float)."""


@dataclass(frozen=True, slots=True, eq=False)
class RowsRead:
    """Rows of all layers.

    Args:
        layers: Layer name to its rows; a layer without any is calibrated by its range.
        searched: What searches found, so that fitting a budget in several attempts searches a layer once a width.
    """

    layers: Mapping[str, LayerRows] = field(default_factory=dict, repr=False)
    searched: dict[tuple[object, ...], Searched] = field(default_factory=dict, repr=False)
