"""Calibration methods: the range that a group of weights or an activation is quantized over."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from passes.calibration.cosine import COSINE
from passes.calibration.hessian import HESSIAN
from passes.calibration.method import Calibration
from passes.calibration.min_max import MIN_MAX, activation_range, weight_range
from passes.calibration.mse import MSE
from passes.calibration.norms import L1_NORM, L2_NORM, LINEAR_WEIGHTED_L2_NORM
from passes.calibration.objective import Objective
from passes.calibration.percentile import PERCENTILE


def _searched(objective: Objective) -> Calibration:
    return Calibration(weight_range, activation_range, objective)


REGISTRY: Mapping[str, Calibration] = MappingProxyType(
    {
        "min_max": MIN_MAX,
        "percentile": PERCENTILE,
        "mse": MSE,
        "cosine": _searched(COSINE),
        "hessian": _searched(HESSIAN),
        "l1_norm": _searched(L1_NORM),
        "l2_norm": _searched(L2_NORM),
        "linear_weighted_l2_norm": _searched(LINEAR_WEIGHTED_L2_NORM),
    }
)
"""Method name to method."""
