"""Trellis codes inside GPTQ and its refinement."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from passes.calibration import REGISTRY as CALIBRATIONS
from passes.calibration.calibrate import weight_qparams
from passes.errors import QuantizationError
from passes.numbers.affine import QParams, dequantize
from passes.numbers.column_widths import ERRORS, noise_of
from passes.numbers.quantized_weight import weight_values
from passes.numbers.scale_grid import grid_indices
from passes.numbers.scheme import TRELLIS_BITS, Granularity, LayerScheme, RowBlock, weight_spec
from passes.numbers.trellis_scales import even_out, start_scales
from passes.rounding import REGISTRY, trellis_rounding
from passes.rounding.descent import Chunk
from passes.rounding.method import Rounding, Strings
from passes.rounding.path_search import TALL, _Search
from passes.rounding.round_weights import round_weight
from passes.rounding.rounded import Rounded
from passes.rounding.trellis_table import fitted_table, gaussian_table, sample_columns
from passes.rounding.walk import Block, walked

GROUP = 32

TABLES = dict.fromkeys(TRELLIS_BITS, gaussian_table())


@pytest.fixture(scope="module")
def layer() -> tuple[Tensor, Tensor]:
    """Weights (96, 128) and the Gram matrix of inputs that live near a space of a quarter of the dimensions."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(96, 128, generator=generator)
    hidden = torch.randn(2000, 32, generator=generator) @ torch.randn(32, 128, generator=generator)
    inputs = hidden + 0.1 * torch.randn(2000, 128, generator=generator)
    return weight, inputs.T @ inputs / len(inputs)


def strings(
    method: str, weight: Tensor, gram: Tensor | None, bits: int, importance: Tensor | None = None
) -> tuple[Rounded, QParams]:
    run, qparams = REGISTRY[method].trellis, start_scales(weight, GROUP)
    assert run is not None
    return run(weight, qparams, gram, Strings(bits * weight.shape[1], TABLES, importance)), qparams


def objective(weight: Tensor, found: Rounded, gram: Tensor) -> Tensor:
    """``e H e^T`` of each row."""
    error = weight_values(found.codes, found.qparams, found.trellis) - weight
    return (error @ gram * error).sum(-1)


@pytest.mark.parametrize("bits", TRELLIS_BITS)
def test_levels_are_those_of_the_strings(layer: tuple[Tensor, Tensor], bits: int) -> None:
    found, _ = strings("refined", *layer, bits)
    assert found.trellis is not None
    assert np.array_equal(found.trellis.levels().T, found.codes.numpy())
    assert grid_indices(found.qparams.scale) is not None  # a byte a scale


@pytest.mark.parametrize("method", ["gptq", "refined"])
def test_tall_columns_take_the_cores_and_give_them_back(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, threads = [], torch.get_num_threads()
    torch.set_num_threads(2)
    search = _Search.__call__

    def counted(self: _Search, *given: Any) -> Any:
        seen.append(torch.get_num_threads())
        return search(self, *given)

    monkeypatch.setattr(_Search, "__call__", counted)
    strings(method, torch.randn(TALL, GROUP, generator=torch.Generator().manual_seed(0)), torch.eye(GROUP), 4)
    assert set(seen) == {1} and torch.get_num_threads() == 2

    def broken(self: _Search, *given: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(_Search, "__call__", broken)
    with pytest.raises(MemoryError):
        strings(method, torch.randn(TALL, GROUP), torch.eye(GROUP), 4)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)


@pytest.mark.parametrize("bits", TRELLIS_BITS)
@pytest.mark.parametrize("even", [False, True])
def test_every_step_of_the_way_lowers_the_objective(
    layer: tuple[Tensor, Tensor], bits: int, even: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where columns have the widths that serve them best, refinement finds little."""
    weight, gram = layer
    if even:
        monkeypatch.setattr(trellis_rounding, "deal_widths", lambda costs, _: np.full(len(costs), bits, np.uint8))

    def error(method: str) -> float:
        found, _ = strings(method, weight, gram, bits)
        return float(objective(weight, found, gram).sum())

    rtn, fitted, refined = map(error, ("rtn", "gptq", "refined"))
    monkeypatch.setattr(Chunk, "fit", lambda chunk: None)
    compensated = error("gptq")
    assert refined < (0.95 if even and bits < 5 else 1) * compensated
    assert compensated < 0.8 * rtn
    assert refined <= fitted <= compensated
    assert fitted < compensated or bits > 3  # stored scales are 5 % apart: errors of wide codes move few of them


@pytest.mark.parametrize(("larger", "again"), [(1, False), (100, True)])
def test_strings_are_searched_again_where_one_input_is_far_larger(
    layer: tuple[Tensor, Tensor], larger: int, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scales then follow that input, and strings of the others were searched by scales far from theirs."""
    weight, gram = layer
    inputs = torch.ones(len(gram))
    inputs[5] = larger
    gram = gram * torch.outer(inputs, inputs)

    def error(method: str) -> float:
        found, _ = strings(method, weight, gram, 2)
        assert found.trellis is not None
        assert np.array_equal(found.trellis.levels().T, found.codes.numpy())
        assert grid_indices(found.qparams.scale) is not None
        return float(objective(weight, found, gram).sum())

    found, refined = error("gptq"), error("refined")
    monkeypatch.setattr(trellis_rounding, "MISSCALED", 0.0)
    once = error("gptq")
    assert (found < 0.7 * once) is (found < once) is again
    assert (found == refined) is again  # which takes its one turn where nothing asks for more


@pytest.mark.parametrize("bits", TRELLIS_BITS)
@pytest.mark.parametrize("method", ["rtn", "gptq", "refined"])
def test_strings_serve_important_rows_more(layer: tuple[Tensor, Tensor], method: str, bits: int) -> None:
    weight, gram = layer
    importance = torch.logspace(-2, 2, len(weight))[
        torch.randperm(len(weight), generator=torch.Generator().manual_seed(0))
    ]

    def errors(of: Tensor | None) -> Tensor:
        found, _ = strings(method, weight, gram, bits, of)
        return objective(weight, found, gram)

    plain, weighed = errors(None), errors(importance)
    assert float((importance * weighed).sum()) < 0.8 * float((importance * plain).sum())
    assert float(weighed.sum()) > float(plain.sum())
    assert torch.equal(errors(1024 * importance), weighed)  # a power of two keeps all bits
    for alike in (torch.full((len(weight),), 0.25), torch.zeros(len(weight))):
        assert torch.equal(errors(alike), plain)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_beats_evenly_spaced_codes_of_as_many_bits(layer: tuple[Tensor, Tensor], bits: int) -> None:
    weight, gram = layer
    columns = sample_columns([torch.randn(2048, 64, generator=torch.Generator().manual_seed(1))], 64)
    tables = dict.fromkeys(TRELLIS_BITS, fitted_table(columns, bits, steps=3))
    errors = {}
    for form in ("affine", "trellis"):
        spec = weight_spec(bits, Granularity("group", GROUP), False, form)  # type: ignore[arg-type]
        scheme = LayerScheme("a", (RowBlock(0, len(weight), spec),))
        qparams = weight_qparams(weight, scheme, CALIBRATIONS["min_max"])
        rounded = round_weight(weight, scheme, qparams, REGISTRY["refined"], gram, tables)
        error = rounded.dequantize() - weight
        errors[form] = float((error @ gram * error).sum())
    assert errors["trellis"] < 0.9 * errors["affine"]


def test_without_a_table_strings_are_zeros_of_the_same_size(layer: tuple[Tensor, Tensor]) -> None:
    weight, gram = layer
    scheme = LayerScheme("a", (RowBlock(0, 96, weight_spec(2, Granularity("group", GROUP), False, "trellis")),))
    qparams = (start_scales(weight, GROUP),)
    empty = round_weight(weight, scheme, qparams, REGISTRY["gptq"], gram)
    full = round_weight(weight, scheme, qparams, REGISTRY["gptq"], gram, TABLES)
    assert empty.blocks[0].file_bytes == full.blocks[0].file_bytes
    assert not empty.dequantize().any()


def test_a_method_that_knows_no_strings_says_so(layer: tuple[Tensor, Tensor]) -> None:
    weight, _ = layer
    scheme = LayerScheme("a", (RowBlock(0, 96, weight_spec(2, Granularity("group", GROUP), False, "trellis")),))
    own = Rounding(REGISTRY["rtn"].run)
    with pytest.raises(QuantizationError, match="layer a: this rounding method knows no trellis codes"):
        round_weight(weight, scheme, (start_scales(weight, GROUP),), own)


def test_gains_and_spread_go_by_the_weights_alone(layer: tuple[Tensor, Tensor]) -> None:
    """What one weighing of the inputs found serves another."""
    weight, gram = layer
    weighed = even_out(weight, GROUP, gram.diagonal())
    anew, known = even_out(weight, GROUP), even_out(weight, GROUP, known=(weighed.gains, weighed.spread))
    for name in ("gains", "spread", "squares", "clipped"):
        assert torch.equal(getattr(known, name), getattr(anew, name))
    assert not torch.equal(weighed.squares, anew.squares)


def test_scales_bring_groups_to_one_spread_and_zeros_stay_finite() -> None:
    weight = torch.randn(64, 64, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 0, 64).unsqueeze(1)
    weight[5] = 0
    evened = even_out(weight, GROUP)
    qparams, gains = evened.scales(torch.full((64,), ERRORS[2])), evened.gains.reshape(-1)
    assert gains.max() == 1.0
    spread = (weight / gains).reshape(64, 2, GROUP).square().mean(-1).sqrt() / qparams.scale
    assert float(spread[6:].max() / spread[6:].min()) < 1.06  # neighbours on the grid of scales are 5 % apart
    middle = torch.full((64, 64), 128, dtype=torch.uint8)
    assert not dequantize(middle, qparams).any()


@pytest.mark.parametrize("size", [1e-5, 1e-4, 1e-3, 1.0, 100.0])
def test_errors_are_foreseen_where_weights_are_smaller_than_the_levels_of_the_smallest_scale(size: float) -> None:
    weight = torch.randn(96, 128, generator=torch.Generator().manual_seed(0)) * size
    run, qparams = REGISTRY["rtn"].trellis, start_scales(weight, GROUP)
    assert run is not None
    found = run(weight, qparams, None, Strings(2 * 128, TABLES))
    assert found.trellis is not None
    error = float((weight_values(found.codes, found.qparams, found.trellis) - weight).square().sum())
    foreseen = float(even_out(weight, GROUP).errors(torch.from_numpy(noise_of(found.trellis.widths))).sum())
    # Weights far below the levels' spread stay in the middle, where a table is densest: dearer than they are is safe.
    assert 0.7 * error < foreseen < 8 * error
    assert foreseen < 1.5 * error or size < 1e-3


def test_an_input_of_large_weights_does_not_clip() -> None:
    """One of 32 inputs is twenty times as large in all rows: with scales of rows alone it would be lost."""
    weight = torch.randn(256, 64, generator=torch.Generator().manual_seed(0))
    weight[:, 7] *= 20
    found, _ = strings("rtn", weight, None, 3)
    error = (weight_values(found.codes, found.qparams, found.trellis) - weight).square().mean(0)
    error /= weight.square().mean(0)
    assert float(error[7]) < 0.03
    assert float(error.mean()) < 0.04


def test_inputs_of_small_weights_keep_all_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside one a hundred times as large, with a byte of levels for both, they would have three or four."""
    monkeypatch.setattr(trellis_rounding, "deal_widths", lambda costs, bits: np.full(len(costs), 4, np.uint8))
    weight = torch.randn(512, GROUP, generator=torch.Generator().manual_seed(0))
    weight[:, 7] *= 100
    found, _ = strings("rtn", weight, None, 4)
    error = (weight_values(found.codes, found.qparams, found.trellis) - weight).square().mean(0)
    assert float((error / weight.square().mean(0)).max()) < 2 * ERRORS[4]


@pytest.mark.parametrize("bits", [1, 2])
def test_a_fitted_table_serves_its_weights_better(bits: int) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(1024, 64, generator=generator) ** 3  # tails longer than those of a Gaussian
    columns = sample_columns([weight], 64)
    errors = []
    for table in (gaussian_table(), fitted_table(columns, bits, steps=3)):
        run, qparams = REGISTRY["rtn"].trellis, start_scales(weight, 64)
        assert run is not None
        found = run(weight, qparams, None, Strings(bits * 64, dict.fromkeys(TRELLIS_BITS, table)))
        errors.append(float((weight_values(found.codes, found.qparams, found.trellis) - weight).square().sum()))
    assert errors[1] < 0.9 * errors[0]


def test_a_sample_has_spread_1_and_the_same_columns_every_time() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(700, 64, generator=generator) * 3, torch.randn(40, 48, generator=generator) / 9]
    first, again = (sample_columns(weights, 32) for _ in range(2))
    assert np.array_equal(first, again)
    assert float(first.std()) == pytest.approx(1.0, abs=0.02)


def test_a_model_of_few_weights_has_the_gaussian_table() -> None:
    columns = sample_columns([torch.randn(15, 34), torch.randn(3, 64)], 64)
    assert columns.shape == (0, 512)
    assert np.array_equal(fitted_table(columns, 2), gaussian_table())


def test_inputs_whose_errors_cost_most_take_most_bits(
    layer: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    weight, gram = layer[0].clone(), layer[1]
    weight[:, :16] *= 8
    weight[:, 16:32] /= 8
    mixed, _ = strings("gptq", weight, gram, 3)
    assert mixed.trellis is not None
    widths = mixed.trellis.widths
    assert int(widths.sum()) == 3 * 128 and float(widths[:16].mean()) > 3 > float(widths[16:32].mean())
    monkeypatch.setattr(trellis_rounding, "deal_widths", lambda costs, bits: np.full(len(costs), 3, np.uint8))
    even, _ = strings("gptq", weight, gram, 3)
    assert float(objective(weight, mixed, gram).sum()) < 0.6 * float(objective(weight, even, gram).sum())


@pytest.mark.parametrize("values", [False, True])
def test_a_block_of_several_widths_is_walked_as_one(values: bool) -> None:
    """Part by part, each with what those before it got wrong taken off, as column by column."""
    generator = torch.Generator().manual_seed(0)
    rows, widths = 40, np.array([2, 2, 4, 2, 3, 3, 3, 1], np.uint8)
    bases, shares = torch.randn(8, rows, generator=generator), torch.randn(8, 8, generator=generator) / 4
    paths = trellis_rounding._Paths(widths, TABLES, torch.ones(8), np.ones(rows, np.float32))
    scale = torch.full((1, rows), 1 / 28)

    def block() -> Block:
        given = bases.clone() if values else None
        return Block(range(8), bases, shares, None if values else torch.linspace(1, 2, 8), given)

    found, one_by_one = block(), block()
    errors = paths.walk(found, scale)
    windows = paths.windows.copy()
    expected = walked(one_by_one, lambda at, wanted: paths.choose(at, wanted, scale[0]))
    assert np.array_equal(windows, paths.windows)
    torch.testing.assert_close(errors, expected, rtol=0, atol=1e-5)
    if values:
        assert found.values is not None and one_by_one.values is not None
        torch.testing.assert_close(found.values, one_by_one.values, rtol=0, atol=1e-5)
