"""myQASR-Hessian: output errors weighted by how much the model's prediction feels them.

To second order, an output error e changes the log-probability of the model's own tokens by ``e H e / 2``, and the
Hessian's diagonal is, as Fisher information, the squared gradient: ``(gradient * error)**2``.

The gradient of the divergence between the model's prediction and itself, of which the paper speaks, is zero; that of
the log-probability of the model's own tokens is as label-free, and is not.

``hessian`` is that formula. Its weights rest on few numbers: where the model is sure of a token, the gradient vanishes,
and what nothing weighs nothing bounds. ``hessian_blended`` takes half of the weight from the gradient and gives the
other half to all outputs of a layer alike.

Source: Fish, Michieli, Ozay, "A Model for Every User and Budget", Interspeech 2023, section 2.3.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from passes.calibration.objective import Objective, only_sum
from passes.calibration.rows_read import LayerRows
from passes.errors import QuantizationError


def hessian_terms(expected: Tensor, got: Tensor, gradient: Tensor | None) -> Tensor:
    """Sum of ``(gradient * (y - q))**2``.

    Raises:
        QuantizationError: There is no gradient.
    """
    if gradient is None:
        raise QuantizationError("a search by Hessian without gradients", hint="read rows with their gradients")
    return (expected - got).mul_(gradient).square_().sum(-1).unsqueeze(0)


def blended(read: LayerRows) -> LayerRows:
    """Rows whose gradients weigh half by their squares, relative to the layer's mean, and half alike."""
    mean = torch.cat([part.square().reshape(-1) for part in read.gradients]).mean().clamp(min=1e-30)
    return replace(read, gradients=tuple(((part.square() / mean + 1) / 2).sqrt() for part in read.gradients))


HESSIAN = Objective(hessian_terms, only_sum, uses_gradient=True)
HESSIAN_BLENDED = replace(HESSIAN, weighing=blended)
