"""What an observer adds up of a run of values, in one go through memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from passes.compiled import compiled

_BLOCK = 1024
"""Values that stay in the first cache between two loops over them."""


def count_values(
    values: npt.NDArray[np.float32],
    pivot: float,
    powers: npt.NDArray[np.float64],
    histogram: npt.NDArray[np.int64],
) -> float:
    """Adds values up; where one is not finite, the sums mean nothing, the histogram does.

    Args:
        values: (n,) contiguous.
        pivot: Near their mean.
        powers: (4,) sums of the first four powers of what lies beyond the pivot; changed.
        histogram: (2**15,) counts by the upper 15 bits below the sign; changed.

    Returns:
        Sum of the absolute values.
    """
    return float(_count(values, values.view(np.int32), pivot, powers, histogram))


@compiled()
def _count(values, patterns, pivot, powers, histogram):  # type: ignore[no-untyped-def]
    absolute = 0.0
    for start in range(0, len(values), _BLOCK):
        stop = min(start + _BLOCK, len(values))
        _add_powers(values[start:stop], pivot, powers)
        absolute += _sum_absolute(values[start:stop])
        for pattern in patterns[start:stop]:
            histogram[(pattern >> 16) & 0x7FFF] += 1
    return absolute


@compiled(fastmath=True)
def _add_powers(values, pivot, powers):  # type: ignore[no-untyped-def]
    """Sums in any order, on vectors; in float64, so that no fourth power of a float32 over- or underflows."""
    first = second = third = fourth = 0.0
    for i in range(len(values)):  # by index: over the values themselves, the compiler makes no vectors of it
        beyond = np.float64(values[i]) - pivot
        square = beyond * beyond
        first += beyond
        second += square
        third += square * beyond
        fourth += square * square
    powers[0] += first
    powers[1] += second
    powers[2] += third
    powers[3] += fourth


@compiled(fastmath=True)
def _sum_absolute(values):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(len(values)):
        total += abs(np.float64(values[i]))
    return total
