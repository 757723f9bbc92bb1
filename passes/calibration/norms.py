"""Scale searches on norms of the output error.

=========================== ======================
``l1_norm``                 ``sum |y - q|``
``l2_norm``                 ``sum (y - q)**2``
``linear_weighted_l2_norm`` ``sum |y| (y - q)**2``
=========================== ======================

``linear_weighted_l2_norm_bias`` has the bias in the y that weighs, as the published code has.

Source: Fish, Michieli, Ozay, Interspeech 2023, ablation of calibration methods.
"""

from __future__ import annotations

from torch import Tensor

from passes.calibration.objective import Objective, only_sum


def l1_terms(expected: Tensor, got: Tensor, gradient: Tensor | None) -> Tensor:
    """Sum of ``|y - q|``."""
    del gradient
    return (expected - got).abs_().sum(-1).unsqueeze(0)


def l2_terms(expected: Tensor, got: Tensor, gradient: Tensor | None) -> Tensor:
    """Sum of ``(y - q)**2``."""
    del gradient
    return (expected - got).square_().sum(-1).unsqueeze(0)


def linear_weighted_l2_terms(expected: Tensor, got: Tensor, gradient: Tensor | None) -> Tensor:
    """Sum of ``|y| (y - q)**2``."""
    del gradient
    return (expected - got).square_().mul_(expected.abs()).sum(-1).unsqueeze(0)


L1_NORM = Objective(l1_terms, only_sum)
L2_NORM = Objective(l2_terms, only_sum)
LINEAR_WEIGHTED_L2_NORM = Objective(linear_weighted_l2_terms, only_sum)
LINEAR_WEIGHTED_L2_NORM_BIAS = Objective(linear_weighted_l2_terms, only_sum, with_bias=True)
