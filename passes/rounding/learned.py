"""Learned rounding: all codes of a row move at once, softly, and settle on a level of their own in the end.

Refinement changes one code at a time and stops where no single change helps. Here every code may lie between its start
``c`` and the neighbour of c on the side of its weight, as far as a variable v says::

    code = c + d h(v),   d = sign(w / s + z - c),   h(v) = clip(1.2 sigmoid(v) - 0.1, 0, 1)

h starts at ``|w / s + z - c|``, below one half, so that rounding it gives the start. Adam lowers, for each row with
error ``e`` and the damped Gram matrix H of the layer's inputs::

    e H e^T / the same at the start  +  PULL r^2 mean(1 - |2 h - 1|^b)

The second term drives every h to 0 or 1; r rises from 0 to 1 after a first stretch without it, and b falls. What is
rounded then is refined. A row whose ``e H e^T`` does not fall below that of its start keeps the start.

Source: Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", ICML 2020, equations 21 to 24; the
start and the refinement are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from passes.affine import QParams, code_dtype, levels_of, step
from passes.rounding.gptq import CHUNK, damped
from passes.rounding.refine import refine, refined
from passes.rounding.rounded import Rounded, choose, row_errors
from passes.rounding.rtn import rtn
from passes.scheme import MAX_PACKED_BITS

STEPS = 200
"""Steps of Adam; 1000 lower the objective by another 1 % where there is most to gain, 0 % elsewhere."""

RATE = 0.1
"""Learning rate."""

PULL = 10.0
"""Weight of the pull to the ends in the last step; the error at the start counts 1."""

WARM_UP = 0.2
"""Share of the steps without the pull."""

_SHARPNESS = (4.0, 2.0)
_STRETCH, _SHIFT = 1.2, 0.1
_NEAREST, _FARTHEST = 0.05, 0.45  # h of a weight on its level, and of one whose start is not the nearest level


def learned(weight: Tensor, qparams: QParams, inputs: Tensor | None) -> Rounded:
    """Codes that were learned from the refined ones.

    Args:
        weight: (n, K) float32.
        qparams: Of these rows.
        inputs: (K, K) Gram matrix; None, or a width above 8 bits, rounds to nearest.

    Returns:
        Codes (n, K), and the qparams that they belong to; rows that keep the refined codes count as fallbacks.
    """
    if inputs is None or qparams.bits > MAX_PACKED_BITS:
        return rtn(weight, qparams, inputs)
    start = refined(weight, qparams, inputs)
    objective = damped(inputs).to(torch.float32)
    codes = torch.empty(weight.shape, dtype=code_dtype(qparams.bits))
    shared = len(start.qparams.scale) != len(weight)
    for first in range(0, len(weight), CHUNK):
        rows = slice(first, min(len(weight), first + CHUNK))
        own = start.qparams.part(slice(None) if shared else rows)
        codes[rows] = _learn(_Soft.of(weight[rows], start.codes[rows], own), objective).to(codes.dtype)
    found = refine(weight, Rounded(codes, start.qparams), inputs)
    before, after = (row_errors(weight, each.codes, each.qparams, objective) for each in (start, found))
    return choose(~(after < before), start, found)


@dataclass(frozen=True, slots=True, eq=False)
class _Soft:
    """Some rows between two levels each, all (n, K).

    Args:
        codes: Where they start.
        direction: 1 or -1: where the other level is.
        part: How far on the way to it a weight is at first, below 1/2.
        error: Of the start.
        slope: What the whole way changes.
    """

    codes: Tensor
    direction: Tensor
    part: Tensor
    error: Tensor
    slope: Tensor

    @classmethod
    def of(cls, weight: Tensor, codes: Tensor, qparams: QParams) -> _Soft:
        """The level next to each of ``codes`` on the side of the weight, or on the other where there is none."""
        codes, width = codes.to(weight.dtype), (qparams.bits, qparams.symmetric)
        repeats = weight.shape[1] // qparams.scale.shape[1]
        scale = qparams.scale.repeat_interleave(repeats, 1)
        zero = qparams.zero_point.to(scale.dtype).repeat_interleave(repeats, 1)
        beside = (weight / scale + zero) / step(*width) - codes
        side = torch.where(beside < 0, -1.0, 1.0)
        outside = (codes + side < 0) | (codes + side > 2**qparams.bits - 1)
        direction = torch.where(outside, -side, side)
        part = torch.where(outside, 0.0, beside.abs()).clamp_(_NEAREST, _FARTHEST)
        error = levels_of(codes, scale, zero, width) - weight
        return cls(codes, direction, part, error, direction * scale * step(*width))


def _learn(soft: _Soft, objective: Tensor) -> Tensor:
    """Codes (n, K) at the end of all steps."""
    variables = torch.logit((soft.part + _SHIFT) / _STRETCH)
    optimizer = torch.optim.Adam([variables], lr=RATE)
    error = ((soft.error @ objective) * soft.error).sum(-1, keepdim=True)
    slope = soft.slope * torch.where(error > 0, 2 / error, 0.0)  # a row without an error has nothing to learn
    for turn in range(STEPS):
        ramp = max(0.0, (turn / STEPS - WARM_UP) / (1 - WARM_UP))
        sigmoid = torch.sigmoid(variables)
        parts = (_STRETCH * sigmoid - _SHIFT).clamp_(0, 1)
        gradient = (torch.addcmul(soft.error, soft.slope, parts) @ objective).mul_(slope)
        if ramp > 0:
            gradient -= _pull(parts, ramp)
        inside = (parts > 0) & (parts < 1)
        variables.grad = gradient.mul_(sigmoid.mul_(1 - sigmoid)).mul_(_STRETCH * inside)
        optimizer.step()
    parts = _STRETCH * torch.sigmoid(variables) - _SHIFT
    return soft.codes + soft.direction * (parts > 0.5)


def _pull(parts: Tensor, ramp: float) -> Tensor:
    """Derivative of ``PULL ramp^2 mean(|2 h - 1|^b)`` by each h (n, K)."""
    high, low = _SHARPNESS
    power = high + (low - high) * ramp
    middle = 2 * parts - 1
    return middle.abs().pow_(power - 1).mul_(middle.sign()).mul_(2 * power * PULL * ramp**2 / parts.shape[1])
