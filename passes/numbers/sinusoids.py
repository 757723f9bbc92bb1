"""Position tables that a formula gives: a file can hold the formula instead of the table.

With n positions and d channels, ``table[t] = [sin(t w), cos(t w)]`` and d / 2 frequencies
``w_j = 10000 ** (-j / (d / 2 - 1))``.

Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.5, in the arrangement of Whisper's encoder.
"""

from __future__ import annotations

import math

import torch

_BASE = 10_000.0
_HALF_PRECISION = 2.0**-10  # checkpoints hold such tables as float16


def frequencies(channels: int) -> torch.Tensor:
    """The (d / 2,) float32 frequencies of a table of ``channels`` columns, an even number of at least 4."""
    half = channels // 2
    return torch.exp(torch.arange(half, dtype=torch.float64) * (-math.log(_BASE) / (half - 1))).to(torch.float32)


def sinusoids(positions: int, channels: int) -> torch.Tensor:
    """The (n, d) float32 table, computed in float32 as a runtime computes it."""
    angles = torch.arange(positions, dtype=torch.float32).unsqueeze(1) * frequencies(channels)
    return torch.cat([angles.sin(), angles.cos()], 1)


def is_sinusoids(table: torch.Tensor) -> bool:
    """True when ``table`` is the table of its shape, up to float16 rounding."""
    if table.ndim != 2 or table.shape[1] < 4 or table.shape[1] % 2:
        return False
    return bool(((table.detach().float() - sinusoids(*table.shape)).abs() <= _HALF_PRECISION).all())
