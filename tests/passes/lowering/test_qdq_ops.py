"""qdq_ops: the operators equal the rounding rule, for real and for fake tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from passes.calibration import REGISTRY
from passes.graph.ops import LayerKind
from passes.lowering.qdq_ops import (
    FORM_FOLDED,
    FORM_INTEGER,
    FORM_MATMUL,
    FORM_ROWS,
    dequantize_rows,
    dequantize_strings,
    dequantize_weight,
    quantize_dequantize,
    weight_form,
)
from passes.numbers.affine import QParams, activation_qparams, qparams_from_range, quantize, zero_point_bits
from passes.numbers.affine import dequantize as expected_of
from passes.numbers.packing import join, pack
from passes.numbers.trellis import STATES, lead, windows
from passes.numbers.trellis_codes import TrellisCodes

GROUPS = {"tensor": None, "channel": 48, "group": 16}
Stored = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]


def stored(qparams: QParams, codes: torch.Tensor) -> Stored:
    packed = torch.from_numpy(join(pack(codes.t().contiguous().numpy(), qparams.bits)))
    scale = qparams.scale.t().contiguous().half()
    if qparams.symmetric:
        return packed, scale, None
    zeros = qparams.zero_point.t().contiguous().to(torch.uint8).numpy()
    return packed, scale, torch.from_numpy(join(pack(zeros, zero_point_bits(qparams.bits))))


def quantized(bits: int, symmetric: bool, granularity: str, rows: int = 10) -> tuple[Stored, torch.Tensor]:
    """Stored tensors and dequantized values of a random (rows, 48) weight."""
    weight = torch.randn(rows, 48, generator=torch.Generator().manual_seed(bits))
    size = GROUPS[granularity]
    groups = weight.reshape(1, 1, -1) if size is None else weight.reshape(rows, -1, size)
    low, high = REGISTRY["min_max"].weight(groups, bits, symmetric)
    qparams = qparams_from_range(low, high, bits, symmetric, size or 48)
    codes = quantize(weight, qparams)
    return stored(qparams, codes), expected_of(codes, qparams)


@pytest.mark.parametrize("granularity", GROUPS)
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("bits", range(1, 9))
def test_weights_and_rows_are_exact(bits: int, symmetric: bool, granularity: str) -> None:
    tensors, expected = quantized(bits, symmetric, granularity)
    for form in (FORM_MATMUL, FORM_INTEGER):
        assert torch.equal(dequantize_weight(*tensors, bits, [10, 48], form), expected.t())
    folded = dequantize_weight(*tensors, bits, [10, 16, 3], FORM_FOLDED)
    assert torch.equal(folded, expected.view(10, 16, 3))
    indices = torch.tensor([[0, 9], [3, 3]])
    assert torch.equal(dequantize_rows(indices, *tensors, bits, [10, 48]), expected[indices])


def strings(bits: int, rows: int) -> list[torch.Tensor]:
    """Packed strings, scales, table and gains of a random (rows, 32) weight."""
    generator = np.random.default_rng(rows)
    drawn = generator.integers(0, 1 << bits, (32, rows + lead(bits)), dtype=np.uint8)
    tables = {bits: generator.integers(1, 256, STATES).astype(np.uint8)}
    codes = TrellisCodes.of(windows(drawn, bits), np.full(32, bits, np.uint8), tables, np.ones(32, np.float32))
    scale, gains = torch.rand(2, rows).half(), torch.ones(32, dtype=torch.float16)
    return [torch.from_numpy(codes.stored()), scale, torch.from_numpy(codes.tables), gains]


def test_strings_are_looked_up_in_the_order_of_blocks() -> None:
    first, second = strings(3, 10), strings(2, 7)
    expected = [
        dequantize_weight(packed, scale, None, bits, [rows, 32], FORM_MATMUL, table, gains).t()
        for (packed, scale, table, gains), bits, rows in ((first, 3, 10), (second, 2, 7))
    ]
    indices = torch.tensor([[0, 9, 10], [16, 3, 11]])
    lists = [list(pair) for pair in zip(first, second, strict=True)]
    found = dequantize_strings(indices, *lists, [3, 2], [10, 7])
    assert torch.equal(found, torch.cat(expected)[indices])
    with FakeTensorMode() as mode:
        faked = [[mode.from_tensor(tensor) for tensor in each] for each in lists]
        fake = dequantize_strings(mode.from_tensor(indices), *faked, [3, 2], [10, 7])
    assert (fake.shape, fake.dtype) == (found.shape, found.dtype)


def test_fake_tensors_get_the_same_shapes() -> None:
    tensors, _ = quantized(3, False, "group")
    indices = torch.tensor([[0, 9, 4]])
    calls = (
        lambda indices, *t: dequantize_weight(*t, 3, [10, 48], FORM_MATMUL),
        lambda indices, *t: dequantize_weight(*t, 3, [10, 16, 3], FORM_FOLDED),
        lambda indices, *t: dequantize_rows(indices, *t, 3, [10, 48]),
        lambda indices, *t: quantize_dequantize(t[1].float(), 0.1, 3, 8),
    )
    with FakeTensorMode() as mode:
        faked = [mode.from_tensor(t) for t in (indices, *tensors) if t is not None]
        found = [one(*faked) for one in calls]
    for one, fake in zip(calls, found, strict=True):
        real = one(indices, *tensors)
        assert (real.shape, real.dtype) == (fake.shape, fake.dtype)


@pytest.mark.parametrize("symmetric", [True, False])
def test_activations_stay_within_half_a_step(symmetric: bool) -> None:
    x = torch.linspace(-3, 5, 1001)
    qparams = activation_qparams(-3, 5, 8, symmetric)
    scale, zero_point = float(qparams.scale), int(qparams.zero_point)
    before = x.clone()
    y = quantize_dequantize(x, scale, zero_point, 8)
    assert torch.equal(x, before)
    assert float((x - y).abs().max()) <= scale * 0.5000001
    assert torch.equal(quantize_dequantize(y, scale, zero_point, 8), y)
    outside = quantize_dequantize(torch.tensor([-1e6, 1e6]), scale, zero_point, 8)
    assert outside.tolist() == pytest.approx([-zero_point * scale, (255 - zero_point) * scale])


def test_ties_go_to_even_where_division_puts_them() -> None:
    # 1 / scale is not exact for this scale, so that x * (1 / scale) rounds some halves the other way.
    scale = float(torch.tensor(0.0371, dtype=torch.float32))
    x = (torch.arange(-100, 100, dtype=torch.float32) + 0.5) * scale
    codes = torch.round(x / torch.tensor(scale)) + 128
    expected = (codes.clamp(0, 255) - 128) * torch.tensor(scale)
    assert torch.equal(quantize_dequantize(x, scale, 128, 8), expected)


@pytest.mark.parametrize(
    ("kind", "cols", "integer", "form"),
    [
        (LayerKind.LINEAR, 48, False, FORM_MATMUL),
        (LayerKind.LINEAR, 40, False, FORM_FOLDED),
        (LayerKind.LINEAR, 40, True, FORM_INTEGER),
        (LayerKind.EMBEDDING, 40, False, FORM_ROWS),
        (LayerKind.EMBEDDING, 20, False, FORM_FOLDED),
        (LayerKind.EMBEDDING, 40, True, FORM_ROWS),
        (LayerKind.CONV1D, 48, True, FORM_FOLDED),
        (None, 48, False, FORM_FOLDED),
    ],
)
def test_forms(kind: LayerKind | None, cols: int, integer: bool, form: str) -> None:
    assert weight_form(kind, cols, integer) == form
