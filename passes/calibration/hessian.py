"""myQASR-Hessian: output errors weighted by how much the model's prediction feels them.

To second order, an output error e changes the log-probability of the model's own tokens by ``e H e / 2``, and the
Hessian's diagonal is, as Fisher information, the squared gradient: ``(gradient * error)**2``.

The gradient of the divergence between the model's prediction and itself, of which the paper speaks, is zero; that of
the log-probability of the model's own tokens is as label-free, and is not.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.3.
"""

from __future__ import annotations

from torch import Tensor

from passes.calibration.objective import Objective, only_sum
from passes.errors import QuantizationError


def hessian_terms(expected: Tensor, got: Tensor, gradient: Tensor | None) -> Tensor:
    """Sum of ``(gradient * (y - q))**2``.

    Raises:
        QuantizationError: There is no gradient.
    """
    if gradient is None:
        raise QuantizationError("a search by Hessian without gradients", hint="read rows with their gradients")
    return (expected - got).mul_(gradient).square_().sum(-1).unsqueeze(0)


HESSIAN = Objective(hessian_terms, only_sum, uses_gradient=True)
