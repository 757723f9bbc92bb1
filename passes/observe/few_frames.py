"""A Gram matrix of few frames tells less than it seems to, and is damped the more.

Rounding adds 5 % of its mean diagonal to every Gram matrix (``passes.rounding.gptq``). That serves where frames
outnumber inputs by far, as in an encoder. A decoder reads a frame a token, and codes that make up for each other's
errors on a thousand tokens do not on others: with K inputs and n frames, the part is ``5 % * max(1, 4 K / n)``. On
recordings that were not among those n frames, that is near the best part for every kind of layer of a decoder.

Where a layer reads nearly the same in every frame, the matrix without means is what float32 left of a difference of
large numbers, and may be no sum of squares; then as much is added as float32 may have taken.
"""

from __future__ import annotations

import torch
from torch import Tensor

DAMPING = 0.05
"""Part of the mean diagonal that rounding adds to a Gram matrix of many frames; chosen on development speech."""

ENOUGH = 4.0
"""Frames an input from which on a matrix is taken as it is."""


UNDECIDED = 1e-6
"""Part of its mean diagonal, an input, that a float32 sum of x x^T may be wrong by in any direction."""


def damped_by(gram: Tensor, part: float, dtype: torch.dtype | None = None) -> Tensor:
    """A copy of the matrix (K, K), in its own type or another, with a part of its mean diagonal added."""
    damped = gram.to(dtype or gram.dtype, copy=True)
    diagonal = damped.diagonal()
    diagonal.add_(part * diagonal.mean().clamp(min=1e-30))
    return damped


def steadied(gram: Tensor, frames: float) -> Tensor:
    """The matrix with what rounding should add to it beyond the usual part.

    Args:
        gram: (K, K) mean of x x^T.
        frames: How many x it is the mean of; weighted ones count ``(sum w)^2 / sum w^2``.
    """
    missing = ENOUGH * len(gram) / max(frames, 1.0)
    return gram if missing <= 1 else damped_by(gram, DAMPING * (missing - 1))


def undecided(centred: Tensor, gram: Tensor) -> Tensor:
    """What to add (K, K) to a matrix without means so that rounding can factor it; one zero () where it can.

    Args:
        centred: (K, K) of ``H - m m^T``.
        gram: (K, K) of H.
    """
    if not torch.linalg.cholesky_ex(damped_by(centred, DAMPING, torch.float64)).info:
        return gram.new_zeros(())
    return UNDECIDED * len(gram) * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
