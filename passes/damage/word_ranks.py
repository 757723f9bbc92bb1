"""What blocks of a vocabulary cost, smoothed along the ranks of their words.

Some minutes of speech hold a few hundred different words: what a block of rare ones is seen to cost is luck, and its
neighbours say as much of it. A vocabulary numbers its words as they were merged, by frequency, and frequency follows a
power of the rank. So the logarithm of what a row costs is fitted by a line in the logarithm of its rank, near each
block (``benchmarks/vocabulary.py`` tells how well that foretells others).

Source: Zipf, "Human Behavior and the Principle of Least Effort", 1949; Cleveland, "Robust Locally Weighted Regression
and Smoothing Scatterplots", JASA 1979.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

REACH = 0.4
"""Standard deviation of the weights of neighbours, in logarithms of ranks; 0.2 to 0.6 foretell others alike."""

_FEWEST = 4
"""Blocks that a line is fitted to, at least."""


def smooth_by_rank(costs: Tensor, blocks: Sequence[tuple[int, int]]) -> Tensor:
    """(B,) costs in place of those seen; as they are where few blocks are left or one costs nothing.

    The first block, which holds single bytes and the commonest words, and the last, with what is no word, stay.

    Args:
        costs: (B,) of blocks of a vocabulary, in the order of its rows.
        blocks: First row and number of rows of each.
    """
    if len(blocks) < _FEWEST + 2 or float(costs.min()) <= 0:
        return costs
    starts, counts = np.array(blocks[1:-1], np.float64).T
    ranks = np.log(starts + counts / 2)
    seen = np.log(costs[1:-1].double().numpy() / counts)
    fitted = np.array([_line_at(rank, ranks, seen) for rank in ranks])
    inner = torch.from_numpy(np.exp(fitted) * counts).to(costs.dtype)
    return torch.cat([costs[:1], inner, costs[-1:]])


def _line_at(rank: float, ranks: np.ndarray, seen: np.ndarray) -> float:
    """What the line through the neighbours of ``rank`` says of it."""
    weights = np.exp(-0.25 * ((ranks - rank) / REACH) ** 2)  # of residuals: squares of them weigh the square
    _, level = np.polyfit(ranks - rank, seen, 1, w=weights)
    return float(level)
