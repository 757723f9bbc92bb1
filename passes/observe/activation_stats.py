"""What an observer saw of one value of a layer, pooled over clips, frames and channels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from passes.errors import QuantizationError
from passes.needs import Role

OUTPUT = "output"
"""Role of a layer's result."""

GRADIENT = "gradient"
"""Role of the gradients of a layer's weights."""

OUTPUT_GRADIENT = "output gradient"
"""Role of one quantile a clip of the gradients of a layer's result."""

MEDIAN_RELATIVE_ERROR = 2.0**-8
"""Largest relative error of ``ActivationStats.median_abs``; see ``passes.observe.observer``."""


def input_role(index: int) -> str:
    """Role of the activation that a layer reads as its ``index``-th."""
    return f"input:{index}"


@dataclass(frozen=True, slots=True)
class ActivationStats:
    """Statistics of ``count`` values.

    Args:
        count: Number of values, at least 1.
        min: Smallest value, exact.
        max: Largest value, exact.
        mean: Mean, within float32 rounding.
        std: Population standard deviation, within float32 rounding.
        median_abs: Lower median of the absolute values, with a relative error of at most ``MEDIAN_RELATIVE_ERROR``.
        skewness: Third standardized moment, 0 for values that are all equal.
        kurtosis: Fourth standardized moment, 3 for normal values and for values that are all equal.
        mean_abs: Mean of the absolute values, within float32 rounding.

    Raises:
        QuantizationError: There is no value, one is not finite, or the range is reversed.
    """

    count: int
    min: float
    max: float
    mean: float
    std: float
    median_abs: float
    skewness: float = 0.0
    kurtosis: float = 3.0
    mean_abs: float = 0.0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise QuantizationError(f"statistics of {self.count} values", hint="run the observed graph on some audio")
        numbers = (
            self.min,
            self.max,
            self.mean,
            self.std,
            self.median_abs,
            self.skewness,
            self.kurtosis,
            self.mean_abs,
        )
        if not all(math.isfinite(number) for number in numbers):
            raise QuantizationError(f"statistics are not finite: {self.min} to {self.max}, mean {self.mean}")
        if self.min > self.max or min(self.std, self.median_abs, self.mean_abs) < 0:
            raise QuantizationError(f"impossible statistics: {self}")

    @property
    def abs_max(self) -> float:
        """Largest absolute value, exact."""
        return max(abs(self.min), abs(self.max))

    @property
    def var(self) -> float:
        """Population variance."""
        return self.std**2

    @property
    def var_abs(self) -> float:
        """Population variance of the absolute values."""
        return max(self.var + self.mean**2 - self.mean_abs**2, 0.0)


Statistics = Mapping[tuple[str, Role], ActivationStats]
"""Layer name and role, see ``passes.needs``, to what was seen there."""
