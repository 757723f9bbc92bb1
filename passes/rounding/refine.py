"""Refinement: better codes, scales and zero points, one at a time, with all the others as they are.

With ``e`` the error of a row and ``H`` the damped Gram matrix of the layer's inputs, the objective ``e H e^T`` is
quadratic in each of them, so that its best value is known in closed form and the representable value next to that is
taken::

    weight of input i    Q(q_i - (e H)_i / H_ii)
    scale of a group     s - (u . (e H)_g) / (u H_gg u^T),   u = step * codes - zero_point
    zero point           z + (1 . (e H)_g) / (s 1 H_gg 1^T)

Every step lowers the objective or leaves it, so the result is never worse than what it started from. Scales stay on the
values that a file stores, see ``passes.numbers.scale_grid``.

Source: coordinate descent, as in Behdin et al., "QuantEase", 2023, equation 8; the scales by least squares.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from passes.needs import Needs
from passes.numbers.affine import QParams, code_dtype
from passes.numbers.scheme import MAX_PACKED_BITS
from passes.rounding.carry import CHUNK, damped
from passes.rounding.descent import Chunk
from passes.rounding.gptq import compensated
from passes.rounding.method import Rounding
from passes.rounding.rounded import Rounded, or_nearest
from passes.rounding.rtn import rtn
from passes.rounding.trellis_rounding import TrellisRounding

ROUNDS = 4
"""Times that scales, zero points and codes take turns; as many again lower the objective by another 1 %."""

TRELLIS_ROUNDS = 1
"""The same of a trellis, each of which takes as long as the first search."""


def refined(weight: Tensor, qparams: QParams, inputs: Tensor | None) -> Rounded:
    """Codes of GPTQ, refined.

    Args:
        weight: (n, K) float32.
        qparams: Of these rows.
        inputs: (K, K) Gram matrix; None, or a width above 8 bits, rounds to nearest.

    Returns:
        Codes (n, K), and the qparams that they belong to.
    """
    if inputs is None or qparams.bits > MAX_PACKED_BITS:
        return rtn(weight, qparams, inputs)
    better = refine(weight, compensated(weight, qparams, inputs), inputs)
    return or_nearest(weight, qparams, better, inputs)


def refine(weight: Tensor, rounded: Rounded, gram: Tensor) -> Rounded:
    """Codes and qparams whose objective is at most that of the given ones.

    Args:
        weight: (n, K) float32.
        rounded: Of these rows; a scale that serves all of them stays.
        gram: (K, K) of the layer's inputs.
    """
    codes, qparams = rounded.codes, rounded.qparams
    objective = damped(gram).to(torch.float32)
    shared = len(qparams.scale) != len(weight)
    found = torch.empty(weight.shape, dtype=code_dtype(qparams.bits))
    scale, zero_point = qparams.scale.clone(), qparams.zero_point.clone()
    for start in range(0, len(weight), CHUNK):
        rows = slice(start, min(len(weight), start + CHUNK))
        own = slice(None) if shared else rows
        chunk = Chunk(weight[rows], codes[rows], qparams.part(own), objective)
        for _ in range(ROUNDS):
            chunk.turn(fixed=shared)
        found[rows] = chunk.codes().t().to(found.dtype)
        scale[own], zero_point[own] = chunk.scale.t(), chunk.zero.t().to(torch.int32)
    better = qparams if shared else replace(qparams, scale=scale, zero_point=zero_point)
    return replace(rounded, codes=found, qparams=better)


REFINED = Rounding(refined, Needs(grams=True), trellis=TrellisRounding(compensates=True, turns=TRELLIS_ROUNDS))
