"""Factors that make channels larger in the weights that read them, and as much smaller in what these read.

A group of weights shares one scale: those of a channel with a larger factor have finer steps beside the others. The
factors are a power of what a rounding error of each channel costs, the power that is expected to cost least.

Source: Xiao et al., "SmoothQuant", ICML 2023, equation 4; Lin et al., "AWQ", MLSys 2024, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from passes.curvature import Curvature
from passes.damage import expected_damage, input_weights
from passes.scheme import WeightSpec

POWERS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
"""Exponents that are tried; 0 changes nothing."""


def best_factor(pairs: Sequence[tuple[Tensor, Tensor]], spec: WeightSpec) -> Tensor | None:
    """Vector s (K,) that is expected to cost least when the weights are stored as ``spec`` says; None for no change.

    Args:
        pairs: Weight (N, K) of each layer that reads the channels, and the Gram matrix (K, K) of what it reads.
        spec: Integers of groups or rows.
    """
    cost = input_weights(Curvature(pairs[0][1], torch.ones(1)), len(pairs[0][1]), compensated=True)
    tried = [_factor(cost, power) for power in POWERS]
    best = min(tried, key=lambda factor: _expected(pairs, factor, spec))
    return None if best is tried[0] else best


def equalized_gram(gram: Tensor, factor: Tensor) -> Tensor:
    """The Gram matrix (K, K) of what the layer reads afterwards."""
    return gram / factor.outer(factor)


def _factor(cost: Tensor, power: float) -> Tensor:
    """``cost ** (power / 2)`` with a geometric mean of 1."""
    logs = cost.clamp(min=1e-30).log() * (power / 2)
    return (logs - logs.mean()).exp()


def _expected(pairs: Sequence[tuple[Tensor, Tensor]], factor: Tensor, spec: WeightSpec) -> float:
    """Expected error of all layers, each as a share of the energy of its outputs."""
    total = 0.0
    for weight, gram in pairs:
        curvature = Curvature(equalized_gram(gram, factor), torch.ones(len(weight)))
        inputs = input_weights(curvature, len(gram), compensated=True)
        energy = ((weight @ gram) * weight).sum().clamp(min=1e-30)
        total += float(expected_damage(weight * factor, curvature, inputs, spec).sum() / energy)
    return total
