"""The operators that a lowered graph is made of, with exact torch semantics.

Each holds packed integers, scales and zero points, so that a lowered graph runs in torch and exports one to one:

- ``myqasr::dequantize_weight(packed, scale, zero_point?, …) -> W`` unpacks and dequantizes one block of rows.
  With a table it reads trellis strings.
- ``myqasr::dequantize_rows(indices, packed, scale, zero_point?, …) -> rows`` does so for the looked-up rows alone.
- ``myqasr::dequantize_strings(indices, packed[], …) -> rows`` looks rows up in adjacent blocks of trellis strings.
- ``myqasr::quantize_dequantize(x, scale, zero_point, bits)`` rounds an activation to unsigned integers and back.
- ``myqasr::quantize_dynamic(x)`` does so at 8 bits with the scale and zero point of what it is called with.

``shape`` is the weight's own: (n, K) or a convolution's (n, K / k, k). Packed codes follow ``passes.numbers.packing``
over the transposed matrix (K, n), scale is (G, n) float16 (1 for a scale that its axis shares), zero point packed codes
of the scale's shape. Trellis strings lie as ``passes.numbers.trellis_codes`` says, with (m, 4096) uint8 tables of the m
widths of their columns, (K,) float16 gains and no zero point; ``bits`` are those of columns of one width.

Source: ONNX DequantizeLinear-21, ``y = (x - x_zero_point) * x_scale``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch

from passes.graph.ops import LayerKind
from passes.numbers.affine import step, zero_point_bits
from passes.numbers.packing import split, unpack
from passes.numbers.scheme import MAX_PACKED_BITS
from passes.numbers.trellis_codes import TrellisCodes

FORM_MATMUL = "matmul"
"""Result is (K, n), ready as the right operand of a matrix product with grouped scales."""

FORM_INTEGER = "integer"
"""Result is (K, n), stored as signed 8-bit integers with one scale a tensor or a column, for integer kernels."""

FORM_FOLDED = "folded"
"""Result has the weight's own shape and becomes a float constant when the runtime loads the file."""

FORM_ROWS = "rows"
"""Result is looked-up rows, (…, K)."""

KERNEL_MULTIPLE = 16
"""The smallest group of the runtime's low-bit matrix product; the inputs of a layer must be a multiple of it."""

ROW_MULTIPLE = 8
"""Codes of one byte at one bit: packed rows of a table can be gathered when its width is a multiple of it."""


def weight_form(kind: LayerKind | None, cols: int, integer: bool) -> str:
    """The form in which a node reads its weight.

    Args:
        kind: What the node computes.
        cols: Inputs K of the weight.
        integer: True when the node's activation is quantized.
    """
    if kind is LayerKind.LINEAR and integer:
        return FORM_INTEGER
    if kind is LayerKind.LINEAR and cols % KERNEL_MULTIPLE == 0:
        return FORM_MATMUL
    return FORM_ROWS if kind is LayerKind.EMBEDDING and cols % ROW_MULTIPLE == 0 else FORM_FOLDED


def unpack_codes(packed: torch.Tensor, shape: Sequence[int], bits: int) -> torch.Tensor:
    """Unsigned codes of ``shape`` from packed bytes."""
    fields = split(packed.numpy(), prod(shape), bits)
    return torch.from_numpy(unpack(fields, bits, tuple(shape)))


def _matrix(
    packed: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    trellis: tuple[torch.Tensor | None, torch.Tensor | None],
    width: tuple[int, tuple[int, int]],
) -> torch.Tensor:
    """Dequantized matrix of a width and of (K, n); a trellis has a table and gains."""
    (table, gains), (bits, size) = trellis, width
    if table is None or gains is None:
        return _affine(packed, scale, zero_point, bits, size)
    codes = TrellisCodes.read(packed.numpy(), bits, size, table.numpy(), gains.float().numpy())
    matrix = _affine(torch.from_numpy(codes.levels().reshape(-1)), scale, None, MAX_PACKED_BITS, size)
    return matrix.mul_(torch.from_numpy(codes.gains).unsqueeze(1))


def _affine(
    packed: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor | None, bits: int, size: tuple[int, int]
) -> torch.Tensor:
    """Dequantized (K, n) matrix."""
    cols, rows = size
    symmetric = zero_point is None
    codes = unpack_codes(packed, (cols, rows), bits).to(torch.int32) * step(bits, symmetric)
    groups = scale.shape[0]
    if zero_point is None:
        zeros = torch.full((1, 1), 1 << (bits - 1), dtype=torch.int32)
    else:
        zeros = unpack_codes(zero_point, scale.shape, zero_point_bits(bits)).to(torch.int32)
    grouped = codes.view(groups, cols // groups, rows) - zeros.unsqueeze(-2)
    return (grouped.to(torch.float32) * scale.to(torch.float32).unsqueeze(-2)).view(cols, rows)


@torch.library.custom_op("myqasr::dequantize_weight", mutates_args=())
def dequantize_weight(
    packed: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    bits: int,
    shape: Sequence[int],
    form: str,
    table: torch.Tensor | None = None,
    gains: torch.Tensor | None = None,
) -> torch.Tensor:
    """Float32 weight of one block: (K, n), or ``shape`` when ``form`` is folded."""
    cols = prod(shape[1:])
    matrix = _matrix(packed, scale, zero_point, (table, gains), (bits, (cols, shape[0])))
    return matrix.t().reshape(list(shape)).contiguous() if form == FORM_FOLDED else matrix


@dequantize_weight.register_fake
def _(
    packed: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    bits: int,
    shape: Sequence[int],
    form: str,
    table: torch.Tensor | None = None,
    gains: torch.Tensor | None = None,
) -> torch.Tensor:
    size = list(shape) if form == FORM_FOLDED else [prod(shape[1:]), shape[0]]
    return torch.empty(size, dtype=torch.float32, device=packed.device)


@torch.library.custom_op("myqasr::dequantize_rows", mutates_args=())
def dequantize_rows(
    indices: torch.Tensor,
    packed: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    bits: int,
    shape: Sequence[int],
) -> torch.Tensor:
    """Float32 rows (…, K) of a table of ``shape`` (V, K) at ``indices`` (…)."""
    matrix = _affine(packed, scale, zero_point, bits, (shape[1], shape[0]))
    return matrix.t()[indices].contiguous()


@dequantize_rows.register_fake
def _(
    indices: torch.Tensor,
    packed: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    bits: int,
    shape: Sequence[int],
) -> torch.Tensor:
    return torch.empty([*indices.shape, shape[1]], dtype=torch.float32, device=packed.device)


@torch.library.custom_op("myqasr::dequantize_strings", mutates_args=())
def dequantize_strings(
    indices: torch.Tensor,
    packed: Sequence[torch.Tensor],
    scale: Sequence[torch.Tensor],
    table: Sequence[torch.Tensor],
    gains: Sequence[torch.Tensor],
    bits: Sequence[int],
    rows: Sequence[int],
) -> torch.Tensor:
    """Float32 rows (…, K) of blocks of ``rows`` rows, one after the other, at ``indices`` (…)."""
    cols, found = len(gains[0]), []
    for *tensors, width, count in zip(packed, scale, table, gains, bits, rows, strict=True):
        strings, scales, levels, factors = tensors
        found.append(_matrix(strings, scales, None, (levels, factors), (width, (cols, count))))
    return torch.cat(found, dim=1).t()[indices].contiguous()


@dequantize_strings.register_fake
def _(
    indices: torch.Tensor,
    packed: Sequence[torch.Tensor],
    scale: Sequence[torch.Tensor],
    table: Sequence[torch.Tensor],
    gains: Sequence[torch.Tensor],
    bits: Sequence[int],
    rows: Sequence[int],
) -> torch.Tensor:
    return torch.empty([*indices.shape, gains[0].shape[0]], dtype=torch.float32, device=indices.device)


@torch.library.custom_op("myqasr::quantize_dequantize", mutates_args=())
def quantize_dequantize(x: torch.Tensor, scale: float, zero_point: int, bits: int) -> torch.Tensor:
    """``(clip(round(x / scale) + zero_point, 0, 2^bits - 1) - zero_point) * scale``, rounding half to even."""
    # Not torch.fake_quantize_per_tensor_affine, which multiplies by 1 / scale and so rounds some values the other way.
    codes = x.div(scale).round_().add_(zero_point).clamp_(0, (1 << bits) - 1)
    return codes.sub_(zero_point).mul_(scale)


@quantize_dequantize.register_fake
def _(x: torch.Tensor, scale: float, zero_point: int, bits: int) -> torch.Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("myqasr::quantize_dynamic", mutates_args=())
def quantize_dynamic(x: torch.Tensor) -> torch.Tensor:
    """``x`` rounded as :class:`passes.numbers.dynamic_range.DynamicRange` says."""
    low, high = x.amin().clamp_max(0), x.amax().clamp_min(0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero_point = (-low / scale).round()
    return x.div(scale).round_().add_(zero_point).clamp_(0, 255).sub_(zero_point).mul_(scale)


@quantize_dynamic.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)
