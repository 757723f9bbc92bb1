"""``Observer``: a module that looks at activations and keeps statistics in bounded memory.

The median comes from a histogram of the absolute values whose bins are the upper 15 bits below the sign of a float32:
8 bits of exponent and 7 of mantissa. A bin [a, b) of normal numbers has b - a <= a / 128, and its middle stands for
the values in it, so the median is off by at most 1 / 256 of itself. Finding the bin of a value is one shift and one
mask; every value is counted, none is sampled. The histogram takes 256 KiB however long the audio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from passes.errors import QuantizationError
from passes.observe.activation_stats import ActivationStats

BINS = 1 << 15
"""Bins of the histogram, one for each upper half of a non-negative float32."""

_FIRST_NON_FINITE = 0x7F80
"""Bin of infinity; NaNs fall into it and the bins above."""

_CHUNK = 1 << 18
"""Values handled at a time; bounds the scratch memory."""


class Observer(nn.Module):
    """Counts the values that flow through one edge of a graph.

    Args:
        roles: Layer name and role of every layer that reads or computes the observed value.
    """

    _is_impure: ClassVar[bool] = True  # torch.fx keeps calls of impure modules although nothing reads their result
    histogram: Tensor

    def __init__(self, roles: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self.roles = roles
        self.count = 0
        self.min = math.inf
        self.max = -math.inf
        self.pivot = 0.0
        self.powers = np.zeros(4)  # sums of the first four powers of what lies beyond the pivot
        self.absolute = 0.0  # sum of the absolute values
        self.register_buffer("histogram", torch.zeros(BINS, dtype=torch.int64), persistent=False)

    @torch.no_grad()
    def forward(self, values: Tensor) -> None:
        """Adds ``values``, of any shape, floating-point type and layout; an empty tensor adds nothing."""
        for chunk in values.detach().reshape(-1).split(_CHUNK):
            if chunk.numel():
                self._add(chunk.to(torch.float32))

    def _add(self, chunk: Tensor) -> None:
        from passes.observe.counted import count_values  # numba takes a second to import

        low, high = torch.aminmax(chunk)
        self.min, self.max = min(self.min, low.item()), max(self.max, high.item())
        if not self.count:
            # Sums of squares around a value near the mean do not cancel when the spread is small beside the mean.
            self.pivot = chunk.mean(dtype=torch.float64).item()
        self.count += chunk.numel()
        values = chunk.contiguous().numpy()
        self.absolute += count_values(values, self.pivot, self.powers, self.histogram.numpy())


def pool(observers: Sequence[Observer]) -> ActivationStats:
    """Statistics of all values that several observers saw.

    Raises:
        QuantizationError: They saw nothing, or an infinite or undefined value.
    """
    seen = [observer for observer in observers if observer.count]
    if not seen:
        raise QuantizationError("no value was observed", hint="run the observed graph on some audio")
    count = sum(o.count for o in seen)
    histogram = torch.stack([o.histogram for o in seen]).sum(0)
    broken = int(histogram[_FIRST_NON_FINITE:].sum())
    if broken:
        raise QuantizationError(f"{broken} of {count} values are not finite")
    mean = sum(o.pivot * (o.count / count) + float(o.powers[0]) / count for o in seen)
    second, third, fourth = (sum(_power_around(o, mean, n) for o in seen) / count for n in (2, 3, 4))
    std = math.sqrt(max(second, 0.0))
    return ActivationStats(
        count=count,
        min=min(o.min for o in seen),
        max=max(o.max for o in seen),
        mean=mean,
        std=std,
        median_abs=median(histogram),
        skewness=third / std**3 if std**3 > 0 else 0.0,
        kurtosis=max(fourth, 0.0) / std**4 if std**4 > 0 else 3.0,
        mean_abs=sum(o.absolute for o in seen) / count,
    )


def _power_around(observer: Observer, mean: float, power: int) -> float:
    """Sum of a power of the distances of the observed values from ``mean``."""
    gap, sums = observer.pivot - mean, (float(observer.count), *observer.powers.tolist())
    return sum(math.comb(power, n) * sums[n] * gap ** (power - n) for n in range(power + 1))


def median(histogram: Tensor) -> float:
    """Middle of the bin that holds the lower median.

    Args:
        histogram: Counts (BINS,), int64, not all zero.
    """
    below = torch.cumsum(histogram, 0)
    rank = (int(below[-1]) - 1) // 2
    index = int(torch.searchsorted(below, rank, right=True))
    if index == 0 and rank < int(histogram[0]):
        return 0.0  # bin 0 holds zero and what is smaller than 2^-133
    edges = torch.tensor([index << 16, (index + 1) << 16], dtype=torch.int32).view(torch.float32).double()
    return float(edges.mean())
