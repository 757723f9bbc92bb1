"""Sensitivity metrics: one number from the statistics of a layer's output; larger is more sensitive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from passes.activation_stats import ActivationStats
from passes.sensitivity.median import median
from passes.sensitivity.moments import abs_max, maximum, mean, standard_deviation, variance

Metric = Callable[[ActivationStats], float]

REGISTRY: Mapping[str, Metric] = MappingProxyType(
    {
        "median": median,
        "mean": mean,
        "max": maximum,
        "abs_max": abs_max,
        "std": standard_deviation,
        "var": variance,
    }
)
"""Metric name to metric."""
