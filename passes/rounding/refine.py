"""Refinement: better codes, scales and zero points, one at a time, with all the others as they are.

With ``e`` the error of a row and ``H`` the damped Gram matrix of the layer's inputs, the objective ``e H e^T`` is
quadratic in each of them, so that its best value is known in closed form and the representable value next to that is
taken::

    weight of input i    Q(q_i - (e H)_i / H_ii)
    scale of a group     s - (u . (e H)_g) / (u H_gg u^T),   u = step * codes - zero_point
    zero point           z + (1 . (e H)_g) / (s 1 H_gg 1^T)

Every step lowers the objective or leaves it, so the result is never worse than what it started from. Scales stay on the
values that a file stores, see ``passes.scale_grid``.

Source: coordinate descent, as in Behdin et al., "QuantEase", 2023, equation 8; the scales by least squares.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from passes.affine import QParams, code_dtype, levels_of, nearest_codes, step, top
from passes.rounding.gptq import BLOCK, CHUNK, compensated, damped
from passes.rounding.rounded import Rounded, or_nearest
from passes.rounding.rtn import rtn
from passes.scale_grid import nearest_scale
from passes.scheme import MAX_PACKED_BITS

ROUNDS = 4
"""Times that scales, zero points and codes take turns; as many again lower the objective by another 1 %."""


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
        chunk = _Chunk(weight[rows], codes[rows], qparams.part(own), objective)
        for _ in range(ROUNDS):
            if not shared:
                chunk.fit_scales()
                chunk.fit_zero_points()
            chunk.descend()
        found[rows] = chunk.codes.t().to(found.dtype)
        scale[own], zero_point[own] = chunk.scale.t(), chunk.zero.t().to(torch.int32)
    return Rounded(found, qparams if shared else replace(qparams, scale=scale, zero_point=zero_point))


class _Chunk:
    """Some rows, seen from the inputs: everything is (K, n), so that what belongs to one input is contiguous."""

    def __init__(self, weight: Tensor, codes: Tensor, qparams: QParams, objective: Tensor) -> None:
        self.weight = weight.t().contiguous()
        self.codes = codes.t().to(weight.dtype).contiguous()
        self.scale = qparams.scale.t().contiguous()  # (G, n or 1)
        self.zero = qparams.zero_point.t().to(weight.dtype).contiguous()
        self.objective = objective
        self._width = (qparams.bits, qparams.symmetric)
        self._size = len(self.weight) // len(self.scale)
        self.error = self._levels(slice(None)) - self.weight
        self.product = objective @ self.error

    def _levels(self, cols: slice) -> Tensor:
        shape = (len(self.scale), self._size, -1)
        scale, zero = self.scale.unsqueeze(1), self.zero.unsqueeze(1)
        return levels_of(self.codes.reshape(shape), scale, zero, self._width).reshape(self.codes.shape)[cols]

    def descend(self) -> None:
        """Gives every weight the level that is best with all others as they are."""
        diagonal = self.objective.diagonal().unsqueeze(-1)
        for start in range(0, len(self.weight), BLOCK):
            block = slice(start, min(len(self.weight), start + BLOCK))
            before = self.error[block].clone()
            product, inner = self.product[block], self.objective[block, block]
            for i in range(block.start, block.stop):
                group = i // self._size
                wanted = self.weight[i] + self.error[i] - product[i - start] / diagonal[i]
                spread = (self.scale[group], self.zero[group], self._width)
                self.codes[i] = nearest_codes(wanted, *spread)
                change = levels_of(self.codes[i], *spread).sub_(self.weight[i]) - self.error[i]
                self.error[i] += change
                product.addr_(inner[:, i - start], change)
            change = self.error[block] - before
            self.product[: block.start] += self.objective[: block.start, block] @ change
            self.product[block.stop :] += self.objective[block.stop :, block] @ change

    def fit_scales(self) -> None:
        """Gives every group the storable scale that is best for its codes."""
        for group, cols in self._groups():
            direction = self.codes[cols] * step(*self._width) - self.zero[group]
            slope, curve = self._along(cols, direction)
            wanted = self.scale[group] - slope / curve.clamp(min=1e-30)
            new = nearest_scale(wanted, len(self.scale))
            moved = new - self.scale[group]
            better = (new > 0) & (moved * (2 * slope + moved * curve) < 0)
            moved = torch.where(better, moved, 0.0)
            self.scale[group] = torch.where(better, new, self.scale[group])
            self._move(cols, direction * moved)

    def fit_zero_points(self) -> None:
        """Gives every group the zero point that is best for its codes; symmetric ones have none to give."""
        if self._width[1]:
            return
        for group, cols in self._groups():
            direction = -self.scale[group].expand(self._size, -1)
            slope, curve = self._along(cols, direction)
            wanted = self.zero[group] - slope / curve.clamp(min=1e-30)
            moved = wanted.round_().clamp_(0, top(*self._width)) - self.zero[group]
            moved = torch.where(moved * (2 * slope + moved * curve) < 0, moved, 0.0)
            self.zero[group] += moved
            self._move(cols, direction * moved)

    def _groups(self) -> list[tuple[int, slice]]:
        return [(group, slice(group * self._size, (group + 1) * self._size)) for group in range(len(self.scale))]

    def _along(self, cols: slice, direction: Tensor) -> tuple[Tensor, Tensor]:
        """Half the first and half the second derivative of the objective along ``direction``, (n,)."""
        curve = ((self.objective[cols, cols] @ direction) * direction).sum(0)
        return (self.product[cols] * direction).sum(0), curve

    def _move(self, cols: slice, change: Tensor) -> None:
        self.error[cols] += change
        self.product += self.objective[:, cols] @ change
