"""myQASR-Cosine: the scale whose output points where the full-precision output points.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from passes.calibration.objective import Objective


def cosine_terms(expected: Tensor, got: Tensor, gradient: Tensor | None) -> Tensor:
    """Sums of ``y * y``, ``y * q`` and ``q * q``."""
    del gradient
    return torch.stack(
        torch.broadcast_tensors(expected.square().sum(-1), (expected * got).sum(-1), got.square().sum(-1))
    )


def cosine_loss(sums: Tensor) -> Tensor:
    """``-<y, q> / (|y| |q|)``; 0, the worst of sensible candidates, where an output vanishes."""
    return -sums[1] / (sums[0] * sums[2]).clamp(min=1e-30).sqrt()


COSINE = Objective(cosine_terms, cosine_loss)
"""Of all outputs as one vector, bias left out."""

COSINE_PER_FRAME = Objective(cosine_terms, cosine_loss, with_bias=True, per_frame=True)
"""The published code's: of each frame's outputs, bias included, then the mean over frames."""
