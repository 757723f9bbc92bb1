"""Range methods, by name: the range that a group of weights or an activation is quantized over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passes.registry import Extensible

if TYPE_CHECKING:
    from passes.calibration.method import RangeMethod

REGISTRY: Extensible[RangeMethod] = Extensible(
    {
        "min_max": "min_max:MIN_MAX",
        "percentile": "percentile:PERCENTILE",
        "mse": "mse:MSE",
        "cosine": "searched:COSINE",
        "cosine_per_frame": "searched:COSINE_PER_FRAME",
        "hessian": "searched:HESSIAN",
        "hessian_blended": "searched:HESSIAN_BLENDED",
        "l1_norm": "searched:L1_NORM",
        "l2_norm": "searched:L2_NORM",
        "linear_weighted_l2_norm": "searched:LINEAR_WEIGHTED_L2_NORM",
        "linear_weighted_l2_norm_bias": "searched:LINEAR_WEIGHTED_L2_NORM_BIAS",
    },
    group="myqasr_fx.calibration",
    kind="method:RangeMethod",
    package=__name__,
)
"""Method name to method."""
