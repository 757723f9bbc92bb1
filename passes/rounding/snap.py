"""Choosing the values of one input's weights: what a method that goes column by column asks for at every column."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from passes.numbers.affine import QParams, code_dtype, levels_of, nearest_codes

Snap = Callable[[int, Tensor], Tensor]
"""Column and the (n,) values that it should take to (n,) values that can be stored."""


class NearestLevels:
    """Every weight its nearest level.

    Args:
        qparams: Of these rows; one scale may serve all of them.
        shape: (n, K).

    Attributes:
        codes: (K, n) of the columns seen so far.
    """

    def __init__(self, qparams: QParams, shape: torch.Size) -> None:
        rows, cols = shape
        self.codes = torch.empty((cols, rows), dtype=code_dtype(qparams.bits))
        self._scale = qparams.scale.t().contiguous()  # (G, n or 1)
        self._zero = qparams.zero_point.t().to(torch.float32).contiguous()
        self._size = cols // len(self._scale)
        self._width = (qparams.bits, qparams.symmetric)

    def __call__(self, column: int, wanted: Tensor) -> Tensor:
        """The levels, whose codes are kept."""
        group = column // self._size
        spread = (self._scale[group], self._zero[group], self._width)
        chosen = nearest_codes(wanted, *spread)
        self.codes[column] = chosen.to(self.codes.dtype)
        return levels_of(chosen, *spread)
