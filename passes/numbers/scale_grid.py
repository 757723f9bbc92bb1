"""Scales that take one byte each: 256 float16 values, evenly spread in their logarithm.

``grid[k]`` is ``2 ** (k / 14 - 16)`` as float16: neighbours are 5 % apart and the grid reaches from 2^-16 to 4.6.
A scale is a float16 value all the same: a file holds indices into the grid where that saves bytes, and nothing else in
the arithmetic of ``passes.numbers.affine`` changes. Scales of groups are many, and take grid values when all of a
matrix fit.
"""

from __future__ import annotations

import torch
from torch import Tensor

_PER_OCTAVE = 14
_LOWEST = -16

_RAISED = 0.01
"""Part of the squares of all scales, as of the errors of rounding, that raising those below the grid may add."""


def bytes_of_scale(groups: int) -> int:
    """Bytes that one scale takes in a file when its matrix, of ``groups`` groups a row, has scales within the grid.

    Single scales of rows are too few to matter.
    """
    return 1 if groups > 1 else 2


def scale_grid() -> Tensor:
    """The (256,) float32 values, rising."""
    exponents = torch.arange(256, dtype=torch.float64) / _PER_OCTAVE + _LOWEST
    return torch.exp2(exponents).to(torch.float16).to(torch.float32)


def round_up_to_grid(scale: Tensor) -> Tensor | None:
    """Smallest grid values that are at least ``scale``, float32; None when one lies beyond the grid.

    None, too, where so many lie below its smallest value that the levels of a matrix of small weights became coarser.

    Args:
        scale: Floats of any shape, not negative; 0 stays 0.
    """
    grid = scale_grid().to(scale.dtype)
    index = torch.searchsorted(grid, scale.contiguous())
    below = (scale > 0) & (scale < grid[0])
    added = (grid[0].square() - scale[below].square()).sum()
    if bool((index == len(grid)).any()) or bool(added > _RAISED * scale.square().sum()):
        return None
    return torch.where(scale > 0, grid[index], scale).to(torch.float32)


def grid_indices(scale: Tensor) -> Tensor | None:
    """uint8 indices of scales, float32 of any shape; None when one is no grid value."""
    grid = scale_grid()
    index = torch.searchsorted(grid, scale.contiguous()).clamp(max=len(grid) - 1)
    return index.to(torch.uint8) if bool((grid[index] == scale).all()) else None


def nearest_scale(scale: Tensor, groups: int) -> Tensor:
    """The storable value next to each of ``scale``, float32: of the grid where scales take one byte, else float16.

    Args:
        scale: Floats of any shape; what lies below the smallest value becomes that, or 0 in float16.
        groups: Groups a row.
    """
    if bytes_of_scale(groups) == 2:
        return scale.to(torch.float16).to(torch.float32)
    grid = scale_grid()
    return grid[torch.bucketize(scale.contiguous(), (grid[1:] + grid[:-1]) / 2)]
