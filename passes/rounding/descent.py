"""Coordinate descent on the objective ``e H e^T`` of some rows: scales, zero points and levels, one at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from passes.numbers.affine import QParams, levels_of, nearest_codes, step, top
from passes.numbers.scale_grid import nearest_scale
from passes.rounding.carry import BLOCK
from passes.rounding.walk import Block, walked


class Chunk:
    """Some rows, seen from the inputs: everything is (K, n), so that what belongs to one input is contiguous.

    Levels and ``product``, which is ``H e``, are those of the codes, scales and zero points so far. Codes are not kept:
    the nearest level to a level is that level.
    """

    def __init__(self, weight: Tensor, codes: Tensor, qparams: QParams, objective: Tensor) -> None:
        self.scale = qparams.scale.t().contiguous()  # (G, n or 1)
        self.zero = qparams.zero_point.t().to(weight.dtype).contiguous()
        self._objective = objective
        self._inverses = objective.diagonal().reciprocal()
        self._width = (qparams.bits, qparams.symmetric)
        self._size = weight.shape[1] // len(self.scale)
        codes = codes.t().to(weight.dtype).contiguous()
        self.levels = levels_of(self._grouped(codes), *self._spread()).reshape(len(objective), -1)
        self.product = objective @ (self.levels - weight.t())

    def codes(self) -> Tensor:
        """(K, n), as floats."""
        return nearest_codes(self._grouped(self.levels), *self._spread()).reshape(self.levels.shape)

    def costs(self, weight: Tensor) -> Tensor:
        """(n,) the objective of each row of ``weight``, (n, K), the one that all this is for."""
        return ((self.levels - weight.t()) * self.product).sum(0)

    def turn(self, *, fixed: bool) -> None:
        """Gives every group the best scale, then the best zero point, then every weight of it the best level.

        Args:
            fixed: Scales and zero points stay.
        """
        for group, cols in self._groups():
            if not fixed:
                self._fit(group, cols)
            self._descend(group, cols)

    def fit(self) -> None:
        """Gives every group the best scale, then the best zero point, for the codes that it has."""
        for group, cols in self._groups():
            self._fit(group, cols)

    def _groups(self) -> Iterator[tuple[int, slice]]:
        """Group after group, and its inputs; what changed of it reaches the others before the next."""
        for group in range(len(self.scale)):
            cols = slice(group * self._size, (group + 1) * self._size)
            before = self.levels[cols].clone()
            yield group, cols
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
        for start in range(cols.start, cols.stop, BLOCK):
            part = slice(start, min(cols.stop, start + BLOCK))
            levels, inverses = self.levels[part], self._inverses[part].unsqueeze(1)
            wanted = torch.addcmul(levels, self.product[part], inverses, value=-1)
            shares = self._objective[part, part] * -inverses
            errors = self.walk(Block(range(part.start, part.stop), wanted, shares, values=levels))
            self.product[cols].addmm_(self._objective[cols, part], errors, alpha=-1)

    def walk(self, block: Block) -> Tensor:
        """A :data:`~passes.rounding.walk.Walk` that takes the nearest levels."""
        return walked(block, self._snap)

    def _snap(self, column: int, wanted: Tensor) -> Tensor:
        """The (n,) levels that are nearest to ``wanted``, (n,)."""
        group = column // self._size
        spread = (self.scale[group], self.zero[group], self._width)
        return levels_of(nearest_codes(wanted, *spread), *spread)

    def _grouped(self, values: Tensor) -> Tensor:
        return values.reshape(len(self.scale), self._size, -1)

    def _spread(self) -> tuple[Tensor, Tensor, tuple[int, bool]]:
        """Scale, zero point and width, lined up with the weights of groups."""
        return self.scale.unsqueeze(1), self.zero.unsqueeze(1), self._width
