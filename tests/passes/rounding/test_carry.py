"""The factor that errors are carried by, of matrices that are none as well."""

from __future__ import annotations

import logging

import pytest
import torch

from passes.calibration import REGISTRY as CALIBRATIONS
from passes.calibration.calibrate import weight_qparams
from passes.errors import QuantizationError
from passes.numbers.quantized_weight import QuantizedBlock
from passes.numbers.scheme import TRELLIS_BITS, Granularity, LayerScheme, RowBlock, weight_spec
from passes.observe.few_frames import DAMPING
from passes.rounding import REGISTRY
from passes.rounding.carry import damped, inverse_factor
from passes.rounding.round_weights import round_weight
from passes.rounding.trellis_table import gaussian_table


def moments(inputs: int, frames: int, mean: float) -> torch.Tensor:
    """A Gram matrix without means of inputs that hardly leave theirs, as float32 leaves it."""
    values = mean + torch.randn(frames, inputs, generator=torch.Generator().manual_seed(0))
    found: torch.Tensor = values.T @ values / frames - values.mean(0).outer(values.mean(0))
    return found


def test_it_is_the_factor_of_the_inverse() -> None:
    gram = moments(16, 400, 0.0)
    factor = inverse_factor(gram)[0].double()
    assert torch.equal(factor, factor.triu())
    assert torch.allclose(factor.T @ factor @ damped(gram), torch.eye(16).double(), atol=1e-5)


def test_damping_rises_until_a_matrix_has_a_factor(caplog: pytest.LogCaptureFixture) -> None:
    gram = moments(64, 200, 3000.0)
    assert torch.linalg.eigvalsh(damped(gram)).min() < 0
    with caplog.at_level(logging.WARNING):
        factor, _ = inverse_factor(gram)
    assert bool(factor.isfinite().all()) and bool((factor.diagonal() > 0).all())
    assert "a Gram matrix of 64 inputs took a damping of" in caplog.text


@pytest.mark.parametrize("method", ["gptq", "refined"])
@pytest.mark.parametrize("form", ["affine", "trellis"])
def test_a_weight_tells_how_far_it_rose(method: str, form: str) -> None:
    weight = torch.randn(8, 64, generator=torch.Generator().manual_seed(1))
    spec = weight_spec(2, Granularity("group", 32), False, form)
    scheme = LayerScheme("layer", (RowBlock(0, 8, spec),))
    qparams, tables = (
        weight_qparams(weight, scheme, CALIBRATIONS["min_max"]),
        dict.fromkeys(TRELLIS_BITS, gaussian_table()),
    )
    for gram, rose in ((moments(64, 200, 3000.0), True), (moments(64, 400, 0.0), False)):
        (block,) = round_weight(weight, scheme, qparams, REGISTRY[method], gram, tables).blocks
        assert isinstance(block, QuantizedBlock) and (block.trellis is not None) is (form == "trellis")
        assert (block.damping is not None) is rose and (block.damping or 1.0) > DAMPING


@pytest.mark.parametrize("gram", [torch.full((4, 4), torch.nan), torch.tensor([1.0, torch.inf, 1.0, 1.0]).diag()])
def test_what_is_no_number_is_refused(gram: torch.Tensor) -> None:
    with pytest.raises(QuantizationError, match="a Gram matrix of 4 inputs is no mean of squares"):
        inverse_factor(gram)
