"""The range of a group at one bit: its two levels."""

from __future__ import annotations

import torch


def one_bit_range(groups: torch.Tensor, symmetric: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The two levels of each group at one bit.

    Args:
        groups: (N, G, g) weights.
        symmetric: True for ``-mean|w|, +mean|w|``, False for the means of the weights below and above the group mean.

    Returns:
        Lower and upper level, (N, G) each.
    """
    if symmetric:
        level = groups.abs().mean(-1)
        return -level, level
    mean = groups.mean(-1, keepdim=True)
    above = (groups - mean).relu_()
    # Deviations from the mean sum to zero, so what lies above balances what lies below.
    total = above.sum(-1)
    count = above.sign_().sum(-1)  # as floats, in place: counting booleans makes an int64 copy
    mean = mean.squeeze(-1)
    return mean - total / (groups.shape[-1] - count).clamp(min=1), mean + total / count.clamp(min=1)
