"""Scales of trellis codes: those that bring every group of weights to the spread that tables are made for.

Rows differ, and so do inputs: one with large weights in all rows would clip in a group of small ones, and weights of
one column are one string. So every column has a gain, and gains and scales take turns to even out what is left::

    scale of a group of a row:  root mean square of w / gain over its inputs
    gain of an input:           root mean square of w / scale over the rows

A group with a single large weight takes a larger scale where clipping it costs more than coarser levels do.

Source: Sinkhorn and Knopp, "Concerning nonnegative matrices and doubly stochastic matrices", 1967.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from passes.numbers.affine import QParams
from passes.numbers.scale_grid import nearest_scale
from passes.numbers.scheme import MAX_PACKED_BITS
from passes.numbers.trellis import MIDDLE, UNIT

TURNS = 4
"""Times that scales and gains take turns."""

WIDENED = tuple(2.0 ** (i / 4) for i in range(11))
"""Multiples of a scale that are tried."""

_REACH = 127 / UNIT  # of the table, in standard deviations
_SMALLEST = 2.0**-16
_LEAST_GAIN = 2.0**-12  # of a column of zeros


@dataclass(frozen=True, slots=True, eq=False)
class Evened:
    """A weight by its groups of g inputs, each brought to one spread.

    Args:
        gains: (G, g) of the inputs, values that a file stores in a byte.
        spread: (n, G) standard deviations of groups of weights over gains.
        squares: (G, g) squared gains, as errors of the inputs weigh.
        clipped: (multiples, n, G) weighed squares of what lies beyond the reach of each multiple of the scales.
    """

    gains: Tensor
    spread: Tensor
    squares: Tensor
    clipped: Tensor

    def costs(self, rows: Tensor | None = None) -> Tensor:
        """(K,) what errors of each input cost, for each part that they are of its weights.

        Args:
            rows: (n,) what squared errors of rows cost beside each other; None weighs them alike.
        """
        energy = self.spread.square()
        total = energy.sum(0) if rows is None else rows @ energy
        return (self.squares * total.unsqueeze(-1)).reshape(-1)

    def errors(self, noise: Tensor) -> Tensor:
        """(n,) squared errors to expect of each row, as its inputs weigh them.

        Args:
            noise: (K,) mean square of the errors of each input's codes, of that of its weights.
        """
        return self._widened(noise)[1].sum(-1)

    def scales(self, noise: Tensor) -> QParams:
        """Of 8-bit symmetric levels: (n, G) values that a file stores; takes what :meth:`errors` does."""
        return _qparams(self.spread * self._widened(noise)[0], self.gains.shape[1])

    def _widened(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Multiple (n, G) of each scale with the least squared error, and that error."""
        multiples = torch.tensor(WIDENED)
        errors = self.spread.square() * (self.squares * noise.reshape(self.squares.shape)).sum(-1)
        found = torch.ones_like(errors)
        clips = self.clipped[0] > 0  # few groups hold a weight that is out of reach
        each = self.clipped[:, clips] + multiples.square().unsqueeze(-1) * errors[clips]
        errors[clips], which = each.min(0)
        found[clips] = multiples[which]
        return found, errors


def start_scales(weight: Tensor, group_size: int) -> QParams:
    """Scales by the spread of groups alone: as many as :class:`Evened` has for the inputs of the layer.

    Args:
        weight: (n, K) float32.
        group_size: Neighbours of a row that share a scale.
    """
    return _qparams(weight.detach().reshape(len(weight), -1, group_size).square().mean(-1).sqrt(), group_size)


def _qparams(spread: Tensor, group_size: int) -> QParams:
    """Storable scales at which (n, G) standard deviations are those of a table."""
    scale = nearest_scale((spread / UNIT).clamp(min=_SMALLEST), spread.shape[1])
    return QParams(MAX_PACKED_BITS, True, group_size, scale, torch.full_like(scale, MIDDLE).to(torch.int32))


def even_out(
    weight: Tensor, group_size: int, importance: Tensor | None = None, known: tuple[Tensor, Tensor] | None = None
) -> Evened:
    """Scales of groups and gains of inputs.

    Args:
        weight: (n, K) float32.
        group_size: Neighbours of a row that share a scale.
        importance: (K,) of the inputs, not negative; None weighs them alike.
        known: Gains and spread of the same weight and groups, whatever inputs weighed: they go by the weights alone.
    """
    groups = weight.detach().reshape(len(weight), -1, group_size)  # (n, G, g)
    gains, spread = known or _gains_and_spread(groups.square())
    weighed = torch.ones_like(gains) if importance is None else importance.reshape(gains.shape)
    reach = (_REACH * spread).unsqueeze(-1) * gains
    beyond = (groups.abs() > reach).nonzero(as_tuple=True)  # few, so that they are looked at one by one
    size, reach = groups[beyond].abs(), reach[beyond]
    place, cost = beyond[0] * spread.shape[1] + beyond[1], weighed[beyond[1:]]
    clipped = torch.zeros(len(WIDENED), spread.numel())
    for row, multiple in zip(clipped, WIDENED, strict=True):
        row.index_add_(0, place, (size - multiple * reach).clamp_(min=0).square_().mul_(cost))
    return Evened(gains, spread, gains.square() * weighed, clipped.reshape(-1, *spread.shape))


def _gains_and_spread(squares: Tensor) -> tuple[Tensor, Tensor]:
    """(G, g) and (n, G) from squared weights (n, G, g)."""
    gains = _gains(squares)
    # No stored scale is smaller, so that levels of smaller weights are as coarse as these.
    return gains, (squares / gains.square()).mean(-1).sqrt().clamp_(min=_SMALLEST * UNIT)


def _gains(squares: Tensor) -> Tensor:
    """(G, g) from (n, G, g)."""
    gains = torch.ones(squares.shape[1:])
    for _ in range(TURNS):
        spread = (squares / gains.square()).mean(-1).clamp(min=1e-24)  # (n, G)
        gains = (squares / spread.unsqueeze(-1)).mean(0).sqrt()
        gains = (gains / gains.amax(-1, keepdim=True).clamp(min=1e-12)).clamp(min=_LEAST_GAIN)
        gains = nearest_scale(gains, 2).clamp(max=1.0)
    return gains
