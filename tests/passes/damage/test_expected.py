"""damage: the expectation is what rounding really does, within the noise of rounding errors."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from passes.calibration.min_max import weight_range
from passes.damage.curvature import Curvature
from passes.damage.expected import (
    LARGEST_CORRECTION,
    SMOOTHING,
    correction_factors,
    expected_damage,
    expected_trellis_damage,
    input_weights,
    row_importance,
)
from passes.numbers.affine import dequantize, qparams_from_range
from passes.numbers.quantized_weight import weight_values
from passes.numbers.scheme import TRELLIS_BITS, Granularity, WeightSpec
from passes.numbers.trellis_scales import start_scales
from passes.rounding.carry import damped
from passes.rounding.gptq import GPTQ, gptq
from passes.rounding.method import Strings
from passes.rounding.rtn import RTN, rtn
from passes.rounding.trellis_table import gaussian_table


@pytest.fixture(scope="module")
def curved() -> tuple[torch.Tensor, Curvature]:
    return drawn(0)


def drawn(seed: int) -> tuple[torch.Tensor, Curvature]:
    """A weight (64, 128) and inputs that are far from independent."""
    torch.manual_seed(seed)
    x = torch.randn(2000, 32) @ torch.randn(32, 128) + 0.3 * torch.randn(2000, 128)
    return torch.randn(64, 128), Curvature(x.T @ x / len(x), torch.rand(64) + 0.5)


@pytest.mark.parametrize("bits", [3, 4, 6, 8])
@pytest.mark.parametrize("size", [32, 128])
@pytest.mark.parametrize("compensated", [False, True])
def test_expectation_is_what_rounding_does(
    curved: tuple[torch.Tensor, Curvature], bits: int, size: int, compensated: bool
) -> None:
    weight, curvature = curved
    spec = WeightSpec(bits, Granularity("group", size))
    inputs = input_weights(curvature, 128, compensated=compensated)
    expected = float(expected_damage(weight, curvature, inputs, spec).sum())
    low, high = weight_range(weight.reshape(64, -1, size), bits, False)
    qparams = qparams_from_range(low, high, bits, False, size)
    rounded = (gptq if compensated else rtn)(weight, qparams, curvature.gram)
    errors = dequantize(rounded.codes, rounded.qparams) - weight
    rows = (1 - SMOOTHING) * curvature.rows + SMOOTHING * curvature.rows.mean()
    real = float((rows * (errors @ curvature.gram * errors).sum(-1)).sum()) / 2
    # GPTQ's damping counts as damage here, of which correlated inputs see little: up to half of the expectation. The
    # ranges that the search ends up with are averages over models: up to a third of it.
    assert (0.45 if compensated else 0.7) * expected < real < 1.35 * expected


@pytest.mark.parametrize("bits", TRELLIS_BITS)
@pytest.mark.parametrize("compensated", [False, True])
@pytest.mark.parametrize("large", [0.0, 15.0])
def test_expectation_is_what_strings_do(bits: int, compensated: bool, large: float) -> None:
    """Also where every eighth row has a single weight of 15 standard deviations, beyond the reach of its scale."""
    run = (GPTQ if compensated else RTN).trellis
    assert run is not None
    expected = real = 0.0
    for seed in range(5):  # of which one alone is off by up to a fifth
        weight, curvature = drawn(seed)
        weight[::8, 11] += large
        inputs = input_weights(curvature, 128, compensated=compensated)
        expected += float(expected_trellis_damage(weight, curvature, inputs, Granularity("group", 64))[bits, 0].sum())
        rounded = run(
            weight,
            start_scales(weight, 64),
            curvature.gram,
            Strings(bits * 128, dict.fromkeys(TRELLIS_BITS, gaussian_table())),
        )
        errors = weight_values(rounded.codes, rounded.qparams, rounded.trellis) - weight
        rows = (1 - SMOOTHING) * curvature.rows + SMOOTHING * curvature.rows.mean()
        # The damping, too, is what columns of few bits are chosen by: of the inputs alone less than half is left.
        objective = damped(curvature.gram).float() if compensated else curvature.gram
        real += float((rows * (errors @ objective * errors).sum(-1)).sum()) / 2
    assert 0.7 * expected < real < 1.35 * expected


def test_rows_that_the_clips_never_felt_cost_little(curved: tuple[torch.Tensor, Curvature]) -> None:
    weight, curvature = curved
    felt = replace(curvature, rows=torch.cat([curvature.rows[:48], torch.zeros(16)]))
    inputs, spec = input_weights(felt, 128, compensated=True), WeightSpec(3, Granularity("group", 32))
    damage = expected_damage(weight, felt, inputs, spec)
    even = expected_damage(weight, replace(felt, rows=felt.rows.mean().expand(64)), inputs, spec)
    torch.testing.assert_close(damage[48:], SMOOTHING * even[48:])
    assert 0 < float(damage[48:].sum()) < SMOOTHING * float(damage.sum())


def test_width_group_and_compensation_order_the_damage(curved: tuple[torch.Tensor, Curvature]) -> None:
    weight, curvature = curved
    plain, gptq_like = (input_weights(curvature, 128, compensated=flag) for flag in (False, True))
    assert float(gptq_like.sum()) < float(plain.sum()) / 2

    def damage(bits: int, size: int) -> float:
        spec = WeightSpec(bits, Granularity("group", size))
        return float(expected_damage(weight, curvature, plain, spec).sum())

    for bits in range(1, 8):
        assert damage(bits, 64) > damage(bits + 1, 64)
    assert damage(4, 32) < damage(4, 64) < damage(4, 128)
    assert float(expected_damage(weight, curvature, plain, WeightSpec(16, half=True)).sum()) == 0


def test_lookups_add_to_the_rows_they_name(curved: tuple[torch.Tensor, Curvature]) -> None:
    weight, curvature = curved
    lookups = torch.zeros(64)
    lookups[5] = 1
    inputs = input_weights(curvature, 128, compensated=True)
    spec = WeightSpec(4)
    added = expected_damage(weight, Curvature(curvature.gram, curvature.rows, lookups), inputs, spec)
    added -= expected_damage(weight, curvature, inputs, spec)
    assert int(added.argmax()) == 5 and bool((added > 0).all())


def test_a_mean_square_serves_every_input() -> None:
    weights = input_weights(Curvature(torch.tensor([[2.5]]), torch.ones(3)), 4, compensated=True)
    assert weights.tolist() == [2.5] * 4


def test_corrections() -> None:
    plain = correction_factors({})
    assert [plain[bits] for bits in range(8, 2, -1)] == [1.0] * 6
    assert 1 < plain[2] < plain[1]
    measured = correction_factors({3: 0.5, 2: 3.0})
    assert (measured[8], measured[3], measured[2]) == (0.5, 0.5, 3.0) and measured[1] > 3
    assert correction_factors({3: 1e9})[4] == LARGEST_CORRECTION
    assert correction_factors({3: 0.0})[4] == 1 / LARGEST_CORRECTION


def test_rows_are_as_important_as_the_damage_that_is_expected_of_equal_errors(
    curved: tuple[torch.Tensor, Curvature],
) -> None:
    curvature = replace(curved[1], lookups=torch.rand(64, generator=torch.Generator().manual_seed(0)))
    equal = torch.ones(64, 128)
    equal[:, 0] = -1  # so that all rows have one range, and one expected error
    inputs = input_weights(curvature, 128, compensated=False)
    damage = expected_damage(equal, curvature, inputs, WeightSpec(4, Granularity("channel")))
    torch.testing.assert_close(row_importance(curvature) / damage, (row_importance(curvature) / damage)[:1].expand(64))
    scale_alone = Curvature(torch.ones(1, 1), curvature.rows)  # of a grouped convolution
    assert torch.equal(row_importance(scale_alone).argsort(), curvature.rows.argsort())
