"""Statistics are checked when made."""

from __future__ import annotations

import math

import pytest

from passes.errors import QuantizationError
from passes.observe.activation_stats import ActivationStats, input_role


def test_derived_values() -> None:
    stats = ActivationStats(4, -3.0, 2.0, 0.1, 1.5, 0.7)
    assert (stats.abs_max, stats.var) == (3.0, 2.25)
    assert input_role(1) == "input:1"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 0.0, 0.0, 0.0, 0.0, 0.0), "statistics of 0 values"),
        ((1, -math.inf, 0.0, 0.0, 0.0, 0.0), "not finite"),
        ((1, 0.0, 0.0, math.nan, 0.0, 0.0), "not finite"),
        ((1, 1.0, 0.0, 0.0, 0.0, 0.0), "impossible"),
        ((1, 0.0, 1.0, 0.0, -1.0, 0.0), "impossible"),
        ((1, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, math.inf), "not finite"),
    ],
)
def test_impossible_statistics_are_refused(values: tuple[float, ...], message: str) -> None:
    with pytest.raises(QuantizationError, match=message):
        ActivationStats(*values)  # type: ignore[arg-type]
