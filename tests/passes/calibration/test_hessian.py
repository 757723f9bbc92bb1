"""Half of a blended weight is the gradient's, half is the same for all outputs of a layer."""

from __future__ import annotations

import torch

from passes.calibration import REGISTRY
from passes.calibration.hessian import blended
from passes.calibration.rows_read import LayerRows


def test_half_of_a_blended_weight_is_the_same_for_all() -> None:
    gradients = torch.tensor([[0.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    inputs = torch.ones(2, 3)
    found = blended(LayerRows((inputs, inputs), (), gradients))
    squares = torch.cat([part.square() for part in found.gradients])
    assert torch.allclose(squares, torch.tensor([[0.5, 2.5], [0.5, 0.5], [0.5, 0.5], [0.5, 2.5]]))
    assert torch.equal(found.inputs[0], inputs)
    nothing = blended(LayerRows((inputs,), (), (torch.zeros(2, 2),)))
    assert torch.equal(nothing.gradients[0], torch.full((2, 2), 0.5).sqrt())


def test_the_formula_itself_is_not_blended() -> None:
    plain, steadied = REGISTRY["hessian"].objective, REGISTRY["hessian_blended"].objective
    assert plain is not None and steadied is not None
    assert plain.weighing is None and steadied.weighing is blended
    assert (plain.terms, plain.loss, plain.uses_gradient) == (steadied.terms, steadied.loss, True)
