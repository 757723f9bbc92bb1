"""The damage that a way to store a weight is expected to do, before anything is rounded.

An error ``e`` of row r costs ``1/2 s_r e H e^T`` nats (``passes.damage.curvature``). Rounding errors of a group with
scale S are uniform over S and independent, with a variance of ``S^2 / 12``. Rounding to nearest leaves them as they
are, so input k weighs ``H_kk``. GPTQ carries the error of an input on to those behind it; input k weighs ``1 /
U_kk^2``, with U the upper Cholesky factor of the inverse of H::

    damage_r = 1/2 s_r sum_k S_rk^2 / 12 d_k,    d_k = H_kk  or  1 / U_kk^2

The errors of trellis codes are those of ``passes.numbers.trellis_scales``.

A row that is looked up as it is, as well as multiplied, adds ``1/2 l_r sum_k S_rk^2 / 12``.

Source: Frantar et al., "GPTQ", ICLR 2023, equations 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from passes.calibration.min_max import weight_range
from passes.damage.curvature import Curvature
from passes.numbers.affine import dequantize, qparams_from_range, quantize
from passes.numbers.column_widths import deal_widths, noise_of
from passes.numbers.scheme import MAX_PACKED_BITS, TRELLIS_STEPS, Granularity, WeightSpec
from passes.numbers.trellis_scales import even_out
from passes.rounding.carry import falling_columns

SMOOTHING = 0.05
"""Part of a layer's sensitivity that is spread evenly over its rows: the clips do not hold all words of a speaker.

Blocks of a vocabulary are smoothed by rank besides (``passes.damage.word_ranks``). Without that, 0.003 to 0.05 foretell
other speakers about as well from 200 positions on (``benchmarks/vocabulary.py``); from fewer the largest does best.
"""

CORRECTION_BITS = 3
"""Width at which every layer's expectation is held against a measurement."""

LARGEST_CORRECTION = 16.0
"""Factor by which a measurement may move an expectation, either way."""

_BELOW: Mapping[int, float] = MappingProxyType({2: 1.3, 1: 4.0})
"""How much more than the width above these cost beyond the expectation: errors so large are no longer small."""

_SEARCHED: Mapping[int, float] = MappingProxyType({2: 0.8, 3: 0.9, 4: 0.95})
"""Part of a group's range that the scale search ends up with, on average, at narrow widths."""


def input_weights(curvature: Curvature, cols: int, *, compensated: bool) -> Tensor:
    """D (K,): what the rounding error of each input costs, in mean squares.

    Args:
        curvature: Of the layer.
        cols: Inputs K.
        compensated: True when later inputs make up for earlier errors, as in GPTQ.
    """
    gram = curvature.gram
    if gram.shape[0] != cols:
        return gram.reshape(-1)[:1].expand(cols)
    if not compensated:
        return gram.diagonal()
    return falling_columns(gram).errors_left()


Range = tuple[Tensor, Tensor]
"""Smallest and largest weight of each group, (N, G) or (1, 1) each."""


def range_of_groups(weight: Tensor, granularity: Granularity) -> Range:
    """What :func:`expected_damage` needs of the (N, K) weights at any width above one bit."""
    return weight_range(_groups(weight, granularity), MAX_PACKED_BITS, symmetric=False)


def expected_damage(
    weight: Tensor, curvature: Curvature, inputs: Tensor, spec: WeightSpec, known: Range | None = None
) -> Tensor:
    """Nats a position (N,) that each row is expected to cost when it is stored as ``spec`` says.

    Args:
        weight: (N, K) float32.
        curvature: Of the layer.
        inputs: Of :func:`input_weights`.
        spec: Integers of 1 to 8 bits; floats cost nothing.
        known: Of :func:`range_of_groups`, which several widths share.
    """
    rows, cols = weight.shape
    if spec.is_float:
        return torch.zeros(rows)
    size = spec.granularity.group_of(cols)
    variance = _variance(weight, spec, size, known)  # (N or 1, G)
    errors = (variance * inputs.reshape(-1, size).sum(-1)).sum(-1)
    return _damage(curvature, errors, size * variance.sum(-1))


def expected_trellis_damage(
    weight: Tensor, curvature: Curvature, inputs: Tensor, granularity: Granularity
) -> dict[tuple[int, int], Tensor]:
    """Bits and quarters to nats a position (N,) that each row is expected to cost as trellis codes of that average.

    Args:
        weight: (N, K) float32.
        curvature: Of the layer.
        inputs: Of :func:`input_weights`.
        granularity: Weights that share a scale.
    """
    cols = weight.shape[1]
    size = granularity.group_of(cols)
    evened = even_out(weight, size, inputs)
    plain = evened if curvature.lookups is None else even_out(weight, size, known=(evened.gains, evened.spread))
    costs = evened.costs(_smoothed(curvature.rows)).double().numpy()
    found = {}
    for bits, quarters in TRELLIS_STEPS:
        spec = WeightSpec(bits, granularity, symmetric=True, format="trellis", quarters=quarters)
        noise = torch.from_numpy(noise_of(deal_widths(costs, spec.column_bits(cols))))
        errors = evened.errors(noise)
        found[bits, quarters] = _damage(curvature, errors, errors if plain is evened else plain.errors(noise))
    return found


def row_importance(curvature: Curvature) -> Tensor:
    """(N,) nats a position that errors of a row cost, for each squared error of a weight."""
    return _damage(curvature, curvature.gram.diagonal().mean(), torch.ones(()))


def _damage(curvature: Curvature, errors: Tensor, plain: Tensor) -> Tensor:
    """Nats of rows with these squared errors, as inputs weigh them, and as they are where rows are looked up."""
    damage = _smoothed(curvature.rows) * errors
    if curvature.lookups is not None:
        damage = damage + _smoothed(curvature.lookups) * plain
    return damage / 2


def correction_factors(ratios: Mapping[int, float]) -> Mapping[int, float]:
    """What to multiply the expected damage of a layer with, by width.

    Args:
        ratios: Width to measured over expected damage of this layer; any may be missing.
    """
    factors: dict[int, float] = {}
    for bits in range(MAX_PACKED_BITS, 0, -1):
        wider = factors.get(bits + 1, ratios.get(CORRECTION_BITS, 1.0))
        found = ratios.get(bits, wider * _BELOW.get(bits, 1.0)) if bits < CORRECTION_BITS else wider
        factors[bits] = min(max(found, 1 / LARGEST_CORRECTION), LARGEST_CORRECTION)
    return MappingProxyType(factors)


def _groups(weight: Tensor, granularity: Granularity) -> Tensor:
    """(N, G, g) weights, or (1, 1, N K) where one scale serves all rows."""
    whole = granularity.kind == "tensor"
    return weight.reshape(1, 1, -1) if whole else weight.reshape(len(weight), -1, granularity.group_of(weight.shape[1]))


def _variance(weight: Tensor, spec: WeightSpec, size: int, known: Range | None) -> Tensor:
    """Mean square of a group's rounding errors, (N, G), or (1, 1) where one scale serves all rows."""
    if spec.bits == 1:
        groups = _groups(weight, spec.granularity)
        qparams = qparams_from_range(*weight_range(groups, 1, spec.symmetric), 1, spec.symmetric, size)
        errors = dequantize(quantize(weight, qparams), qparams).sub_(weight)
        return errors.reshape(groups.shape).square().mean(-1)
    low, high = known or range_of_groups(weight, spec.granularity)
    part = _SEARCHED.get(spec.bits, 1.0)
    scale = qparams_from_range(low * part, high * part, spec.bits, spec.symmetric, size).scale
    return scale.square() / 12


def _smoothed(rows: Tensor) -> Tensor:
    return (1 - SMOOTHING) * rows + SMOOTHING * rows.mean()
