"""Widths of the columns of a trellis: inputs whose errors cost much take more bits than those whose errors cost little.

The strings of a weight are those of its inputs, and each may have its own width. With ``c_k`` what errors of input k
cost for each part that they are of its weights, and ``E(b)`` that part at b bits, widths of a given sum cost least when
bits go one by one to where they save most::

    minimize  sum_k c_k E(b_k)   over widths b_k of a palette   with  sum_k b_k = B

``E`` falls ever less, so that each next bit of an input saves less than its last one and the greedy choice is the best.

Source: Shoham and Gersho, "Efficient bit allocation for an arbitrary set of quantizers", 1988.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from passes.errors import QuantizationError

ERRORS: Mapping[int, float] = MappingProxyType({1: 0.27, 2: 0.071, 3: 0.019, 4: 0.0052, 5: 0.0015, 6: 0.00043})
"""Mean square of the errors of trellis codes, of that of the weights: Gaussian ones and a table fitted to such."""

Widths = npt.NDArray[np.uint8]


def palette(mean: int) -> tuple[int, ...]:
    """Widths that columns take whose average is ``mean`` bits or a part of one more.

    Each costs a file operators. Columns of one bit are not among wider ones: errors so large do more damage than small
    ones foretell.
    """
    return (1,) if mean == 1 else tuple(bits for bits in range(max(mean - 1, 2), mean + 3) if bits in ERRORS)


def deal_widths(costs: npt.NDArray[np.float64], total: int) -> Widths:
    """(K,) widths whose sum is ``total``, with the least errors together.

    Args:
        costs: (K,) not negative; equal ones take their bits in order.
        total: K, or from 2 K to 6 K.

    Raises:
        QuantizationError: No widths have that sum.
    """
    count, mean = len(costs), total // len(costs)
    if total != count and not 2 * count <= total <= max(ERRORS) * count:
        raise QuantizationError(f"{total} bits for {count} columns, expected 1 each or 2 to {max(ERRORS)}")
    widths = palette(mean)
    saved = -np.diff([ERRORS[bits] for bits in widths])  # by the second width, by the third, and so on
    # All first steps, then all second ones: a stable sort keeps that order.
    steps = np.argsort(-np.outer(saved, costs).reshape(-1), kind="stable")[: total - widths[0] * count] % count
    found: Widths = (widths[0] + np.bincount(steps, minlength=count)).astype(np.uint8)
    return found


def noise_of(widths: Widths) -> npt.NDArray[np.float32]:
    """(K,) mean squares of the errors, of those of the weights."""
    every = np.array([0.0, *(ERRORS[bits] for bits in sorted(ERRORS))], np.float32)
    found: npt.NDArray[np.float32] = every[widths]
    return found
