"""Two ranges of an activation: what the codes stand for."""

from __future__ import annotations

import pytest
import torch

from passes.errors import QuantizationError
from passes.numbers.twin import Split, TwinQParams, covering, round_twin, twin_qparams

SIZE = twin_qparams(1.0, 4, Split.SIZE, 3)
SIGN = covering(twin_qparams(3.5, 4, Split.SIGN, 0), -0.17)


def test_size_selects_the_range_of_a_softmax() -> None:
    coarse, fine = 1 / 7, 1 / 56
    values = torch.tensor([0.0, 0.6 * fine, 7.4 * fine, 7.6 * fine, 0.2, 1.0])
    expected = torch.tensor([0.0, fine, 7 * fine, coarse, coarse, 1.0])
    assert torch.allclose(round_twin(values, [SIZE])[0], expected)


def test_sign_selects_the_range_of_a_gelu() -> None:
    assert (SIGN.coarse, SIGN.exponent, SIGN.fine) == (0.5, 4, 0.03125)  # 8 * 2**-5 reaches to -0.25
    values = torch.tensor([-0.3, -0.17, -0.02, -0.01, 0.0, 0.2, 0.3, 9.0])
    expected = torch.tensor([-0.25, -0.15625, -0.03125, 0.0, 0.0, 0.0, 0.5, 3.5])
    assert torch.equal(round_twin(values, [SIGN])[0], expected)


@pytest.mark.parametrize("qparams", [SIZE, SIGN], ids=["size", "sign"])
def test_one_bit_is_spent_on_the_range(qparams: TwinQParams) -> None:
    low = 0.0 if qparams.split is Split.SIZE else -1.0
    levels = round_twin(torch.linspace(low, 5, 10_001), [qparams]).unique()
    assert len(levels) <= 16
    assert torch.equal(round_twin(levels, [qparams])[0], levels)


def test_several_candidates_at_once_are_each_alone() -> None:
    values = torch.rand(3, 5, generator=torch.Generator().manual_seed(0))
    tried = [twin_qparams(1.0, 8, Split.SIZE, exponent) for exponent in (0, 4, 9)]
    together = round_twin(values, tried)
    assert together.shape == (3, 3, 5)
    for qparams, found in zip(tried, together, strict=True):
        assert torch.equal(round_twin(values, [qparams])[0], found)


@pytest.mark.parametrize("low", [-1e-9, -0.17, -0.5, -1e9, 0.0])
def test_the_near_range_is_the_finest_that_covers(low: float) -> None:
    found = covering(twin_qparams(3.5, 8, Split.SIGN, 0), low)
    reach = found.fine * (found.top + 1)
    assert reach >= -low or found.exponent == 0
    assert reach / 2 < -low or found.exponent == 15


def test_what_cannot_be() -> None:
    assert twin_qparams(-1.0, 8, Split.SIGN, 0).coarse == 1.0
    for bits, coarse, exponent in ((1, 1.0, 0), (8, 0.0, 0), (8, float("inf"), 0), (8, 1.0, 16)):
        with pytest.raises(QuantizationError):
            TwinQParams(bits, Split.SIZE, coarse, exponent)
