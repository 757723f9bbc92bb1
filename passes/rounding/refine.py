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
from passes.numbers.affine import QParams, code_dtype, levels_of, nearest_codes, step, top
from passes.numbers.scale_grid import nearest_scale
from passes.numbers.scheme import MAX_PACKED_BITS
from passes.rounding.gptq import BLOCK, CHUNK, compensated, damped
from passes.rounding.method import Rounding
from passes.rounding.rounded import Rounded, or_nearest
from passes.rounding.rtn import rtn

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
            chunk.turn(fixed=shared)
        found[rows] = chunk.codes().t().to(found.dtype)
        scale[own], zero_point[own] = chunk.scale.t(), chunk.zero.t().to(torch.int32)
    return Rounded(found, qparams if shared else replace(qparams, scale=scale, zero_point=zero_point))


class _Chunk:
    """Some rows, seen from the inputs: everything is (K, n), so that what belongs to one input is contiguous.

    Levels and ``product``, which is ``H e``, are those of the codes, scales and zero points so far. Codes are not kept:
    the nearest level to a level is that level.
    """

    def __init__(self, weight: Tensor, codes: Tensor, qparams: QParams, objective: Tensor) -> None:
        self.scale = qparams.scale.t().contiguous()  # (G, n or 1)
        self.zero = qparams.zero_point.t().to(weight.dtype).contiguous()
        self._objective = objective
        self._inverses: list[float] = objective.diagonal().reciprocal().tolist()
        self._width = (qparams.bits, qparams.symmetric)
        self._size = weight.shape[1] // len(self.scale)
        self.levels = levels_of(self._grouped(codes.t().to(weight.dtype)), *self._spread()).reshape(len(objective), -1)
        self.product = objective @ (self.levels - weight.t())

    def codes(self) -> Tensor:
        """(K, n), as floats."""
        return nearest_codes(self._grouped(self.levels), *self._spread()).reshape(self.levels.shape)

    def turn(self, *, fixed: bool) -> None:
        """Gives every group the best scale, then the best zero point, then every weight of it the best level.

        Args:
            fixed: Scales and zero points stay.
        """
        for group in range(len(self.scale)):
            cols = slice(group * self._size, (group + 1) * self._size)
            before = self.levels[cols].clone()
            if not fixed:
                self._fit(group, cols)
            self._descend(group, cols)
            change = self.levels[cols] - before
            for others in (slice(cols.start), slice(cols.stop, None)):
                self.product[others].addmm_(self._objective[others, cols], change)

    def _fit(self, group: int, cols: slice) -> None:
        """The storable scale of a group that is best for its codes, then its zero point unless that is a constant."""
        spread = (self.scale[group], self.zero[group], self._width)
        inner, product = self._objective[cols, cols], self.product[cols]
        codes = nearest_codes(self.levels[cols], *spread)
        units = (codes * step(*self._width)).sub_(self.zero[group])
        bent = inner @ units
        slope, curve = (product * units).sum(0), (bent * units).sum(0)
        wanted = self.scale[group] - slope / curve.clamp(min=1e-30)
        new = nearest_scale(wanted, len(self.scale))
        moved = new - self.scale[group]
        better = (new > 0) & (moved * (2 * slope + moved * curve) < 0)
        product.addcmul_(bent, torch.where(better, moved, 0.0))
        self.scale[group] = torch.where(better, new, self.scale[group])
        if not self._width[1]:
            self._fit_zero_point(group, cols)
        self.levels[cols] = levels_of(codes, *spread)  # which sees what was written to the scale and the zero point

    def _fit_zero_point(self, group: int, cols: slice) -> None:
        """A step of it moves all levels of the group by the scale."""
        bent, product = self._objective[cols, cols].sum(1), self.product[cols]
        scale, zero = self.scale[group], self.zero[group]
        slope, curve = -scale * product.sum(0), scale.square() * bent.sum()
        wanted = zero - slope / curve.clamp(min=1e-30)
        moved = wanted.round_().clamp_(0, top(*self._width)) - zero
        moved = torch.where(moved * (2 * slope + moved * curve) < 0, moved, 0.0)
        zero += moved
        product.addr_(bent, -scale * moved)

    def _descend(self, group: int, cols: slice) -> None:
        """Gives every weight of a group the level that is best with all others as they are."""
        spread = (self.scale[group], self.zero[group], self._width)
        for start in range(cols.start, cols.stop, BLOCK):
            block = slice(start, min(cols.stop, start + BLOCK))
            inner = self._objective[block, block]
            changes = torch.empty_like(self.levels[block])
            for i, (level, product) in enumerate(zip(self.levels[block], self.product[block], strict=True)):
                # What the inputs before it in the block changed reaches an input when its turn comes.
                slope = torch.addmv(product, changes[:i].t(), inner[i, :i])
                wanted = torch.sub(level, slope, alpha=self._inverses[start + i])
                new = levels_of(nearest_codes(wanted, *spread), *spread)
                torch.sub(new, level, out=changes[i])
                level.copy_(new)
            self.product[cols].addmm_(self._objective[cols, block], changes)

    def _grouped(self, values: Tensor) -> Tensor:
        return values.reshape(len(self.scale), self._size, -1)

    def _spread(self) -> tuple[Tensor, Tensor, tuple[int, bool]]:
        """Scale, zero point and width, lined up with the weights of groups."""
        return self.scale.unsqueeze(1), self.zero.unsqueeze(1), self._width


REFINED = Rounding(refined, Needs(grams=True))
