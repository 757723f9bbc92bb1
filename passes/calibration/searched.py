"""Methods that try multiples of the whole range and take those that suit a layer's output best."""

from __future__ import annotations

from passes.calibration import cosine, hessian, norms
from passes.calibration.method import RangeMethod
from passes.calibration.min_max import activation_range, weight_range
from passes.calibration.objective import Objective


def searched(objective: Objective) -> RangeMethod:
    """The method that an objective makes."""
    return RangeMethod(weight_range, activation_range, objective)


COSINE = searched(cosine.COSINE)
COSINE_PER_FRAME = searched(cosine.COSINE_PER_FRAME)
HESSIAN = searched(hessian.HESSIAN)
HESSIAN_BLENDED = searched(hessian.HESSIAN_BLENDED)
L1_NORM = searched(norms.L1_NORM)
L2_NORM = searched(norms.L2_NORM)
LINEAR_WEIGHTED_L2_NORM = searched(norms.LINEAR_WEIGHTED_L2_NORM)
LINEAR_WEIGHTED_L2_NORM_BIAS = searched(norms.LINEAR_WEIGHTED_L2_NORM_BIAS)
