"""The rounding rule, spelled once: what an integer code of a given width means.

Codes are unsigned, ``0 .. 2**bits - 1``; whether a file stores them signed is the exporter's choice::

    quantize:    code  = clip(round_half_even(w / scale) + zero_point, 0, 2**bits - 1)
    dequantize:  value = float32(step * code - zero_point) * scale

``step`` is 1, except at one bit, where the two codes name two levels of a group:

    ========== ==== ============ ===================================================
    1 bit      step zero_point   levels
    ========== ==== ============ ===================================================
    symmetric  2    1            ``-scale, +scale``
    asymmetric 8    0 .. 8       ``-zero_point * scale, (8 - zero_point) * scale``
    ========== ==== ============ ===================================================

Scales of up to 8 bits are float16 values, those of groups where possible the 256 of ``passes.numbers.scale_grid``, and
are rounded up, so that the range stays covered and a weight inside it moves by at most ``scale / 2``. The product above
is then exact in float32, and equals DequantizeLinear bit for bit.

Source: ONNX QuantizeLinear and DequantizeLinear, opset 21.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from passes.errors import QuantizationError
from passes.numbers.scale_grid import bytes_of_scale, round_up_to_grid
from passes.numbers.scheme import FLOAT_BITS, MAX_PACKED_BITS

_CHUNK = 1 << 20  # weights converted at once, so that a large layer needs no second float copy
_SMALLEST_SCALE = 2.0**-24  # the smallest float16 above zero


@dataclass(frozen=True, slots=True, eq=False)
class QParams:
    """Scales and zero points of a matrix of weights, or of one activation.

    Args:
        bits: 1 to 31.
        symmetric: True when every zero point is the constant ``2**(bits - 1)`` and is not stored.
        group_size: Neighbours of a row that share a scale; 0 for one scale over a tensor of any shape (activations).
        scale: float32, positive, (N, G), or (1, 1) when one scale serves all rows.
        zero_point: int32, shape of ``scale``, in ``0 .. top(bits, symmetric)``.

    Raises:
        QuantizationError: Widths, types or shapes disagree, or a scale is not positive and finite.
    """

    bits: int
    symmetric: bool
    group_size: int
    scale: torch.Tensor
    zero_point: torch.Tensor

    def __post_init__(self) -> None:
        _check_bits(self.bits)
        if self.scale.ndim != 2 or self.scale.shape != self.zero_point.shape:
            shapes = f"{tuple(self.scale.shape)} and {tuple(self.zero_point.shape)}"
            raise QuantizationError(f"scale and zero point of shapes {shapes}, expected one (rows, groups) shape")
        if self.scale.dtype != torch.float32 or self.zero_point.dtype != torch.int32:
            got = f"{self.scale.dtype} and {self.zero_point.dtype}"
            raise QuantizationError(f"scale and zero point are {got}, expected float32 and int32")
        if not bool((torch.isfinite(self.scale) & (self.scale > 0)).all()):
            raise QuantizationError("a scale is zero, negative or not finite")

    def part(self, rows: slice) -> QParams:
        """Those of some rows."""
        return replace(self, scale=self.scale[rows], zero_point=self.zero_point[rows])


def step(bits: int, symmetric: bool) -> int:
    """Distance of neighbouring codes, in scales."""
    return 1 if bits > 1 else 2 if symmetric else 8


def top(bits: int, symmetric: bool) -> int:
    """Largest value of ``step * code``, which is also the largest zero point."""
    return step(bits, symmetric) * ((1 << bits) - 1)


def zero_point_bits(bits: int) -> int:
    """Bits that a stored zero point takes: those of the codes, but 4 at one bit."""
    return 4 if bits == 1 else bits


def code_dtype(bits: int) -> torch.dtype:
    """Type that holds codes in memory."""
    return torch.uint8 if bits <= MAX_PACKED_BITS else torch.int32


def qparams_from_range(
    minimum: torch.Tensor, maximum: torch.Tensor, bits: int, symmetric: bool, group_size: int
) -> QParams:
    """Scales and zero points that cover ``minimum .. maximum``, which are widened to include 0.

    At one bit the range is the two levels, see ``passes.calibration.one_bit``. A group of zeros gets scale 1 and
    decodes to 0; at one symmetric bit, which has no level 0, it gets the smallest scale.

    Args:
        minimum: (N, G) smallest weight of each group.
        maximum: (N, G) largest weight of each group.
        bits: 1 to 31.
        symmetric: Zero in the middle of the codes.
        group_size: Neighbours of a row that share a scale.

    Raises:
        QuantizationError: The range is not finite, or too wide for float16 scales.
    """
    dtype = torch.float16 if bits <= MAX_PACKED_BITS else torch.float32
    return _from_range(minimum, maximum, _QRange(bits, symmetric, group_size, dtype))


def activation_qparams(minimum: float, maximum: float, bits: int = 8, symmetric: bool = False) -> QParams:
    """Per-tensor qparams of an activation; its scale is any float32.

    Args:
        minimum: Smallest activation.
        maximum: Largest activation.
        bits: 2 to 31.
        symmetric: Zero in the middle of the codes.

    Raises:
        QuantizationError: Width or range cannot be quantized.
    """
    if bits < 2:
        raise QuantizationError(f"{bits}-bit activations", hint="activations take 2 to 31 bits")
    low, high = (torch.tensor([[value]], dtype=torch.float64) for value in (minimum, maximum))
    return _from_range(low, high, _QRange(bits, symmetric, 0, torch.float32))


def quantize(weight: torch.Tensor, qparams: QParams) -> torch.Tensor:
    """Codes of ``weight``: the nearest level each.

    Args:
        weight: (N, K) floats.
        qparams: Of the same matrix.

    Returns:
        (N, K) uint8, or int32 above 8 bits.
    """
    codes = torch.empty(weight.shape, dtype=code_dtype(qparams.bits))
    work = torch.float32 if qparams.bits <= MAX_PACKED_BITS else torch.float64
    for rows, scale, zero in _chunks(weight, qparams, work):
        x = weight[rows].detach().to(work).reshape(-1, weight.shape[1] // qparams.group_size, qparams.group_size)
        nearest = nearest_codes(x, scale, zero, (qparams.bits, qparams.symmetric))
        codes[rows] = nearest.to(codes.dtype).reshape(codes[rows].shape)
    return codes


def dequantize(codes: torch.Tensor, qparams: QParams) -> torch.Tensor:
    """Values of ``codes``; :func:`quantize` gives the same codes back (up to 16 bits).

    Args:
        codes: (N, K) integers.
        qparams: Of the same matrix.

    Returns:
        (N, K) float32.
    """
    values = torch.empty(codes.shape, dtype=torch.float32)
    work = torch.float32 if qparams.bits <= MAX_PACKED_BITS else torch.float64
    for rows, scale, zero in _chunks(codes, qparams, work):
        x = codes[rows].to(work).reshape(-1, codes.shape[1] // qparams.group_size, qparams.group_size)
        levels = levels_of(x, scale, zero, (qparams.bits, qparams.symmetric))
        values[rows] = levels.to(torch.float32).reshape(values[rows].shape)
    return values


def nearest_codes(
    x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, width: tuple[int, bool]
) -> torch.Tensor:
    """Codes, as floats, of values whose scales are lined up with them.

    Args:
        x: Floats.
        scale: Broadcasts against ``x``, of its type.
        zero_point: As ``scale``.
        width: Bits, and whether the zero points are the constant of symmetric codes.
    """
    distance = step(*width)
    x = x / scale
    x = x.round_().add_(zero_point) if distance == 1 else x.add_(zero_point).div_(distance).round_()
    return x.clamp_(0, 2 ** width[0] - 1)


def levels_of(
    codes: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, width: tuple[int, bool]
) -> torch.Tensor:
    """What the codes of :func:`nearest_codes`, as floats, stand for."""
    return (codes * step(*width)).sub_(zero_point).mul_(scale)


@dataclass(frozen=True, slots=True)
class _QRange:
    """What a range is turned into: width, symmetry, group size and the type that scales are rounded to."""

    bits: int
    symmetric: bool
    group_size: int
    scale_dtype: torch.dtype


def _from_range(minimum: torch.Tensor, maximum: torch.Tensor, to: _QRange) -> QParams:
    _check_bits(to.bits)
    low, high = minimum.detach().double().clamp(max=0), maximum.detach().double().clamp(min=0)
    if not bool((torch.isfinite(low) & torch.isfinite(high)).all()):
        raise QuantizationError("the range to quantize holds NaN or infinity")
    limit = top(to.bits, to.symmetric)
    middle = 2 ** (to.bits - 1)
    scale = torch.maximum(high / (limit - middle), -low / middle) if to.symmetric else (high - low) / limit
    on_grid = None
    if to.scale_dtype == torch.float16 and bytes_of_scale(scale.shape[1]) == 1:
        on_grid = round_up_to_grid(scale)
    scale = _round_up(scale, to.scale_dtype) if on_grid is None else on_grid
    if not bool(torch.isfinite(scale).all()):
        raise QuantizationError(
            f"a range of up to {float((high - low).max()):.3g} needs a scale beyond {to.scale_dtype} at {to.bits} bits",
            hint="keep this layer in float",
        )
    empty = _SMALLEST_SCALE if to.bits == 1 and to.symmetric else 1.0
    scale = torch.where(scale > 0, scale, torch.full_like(scale, empty))
    zero = torch.full_like(low, middle) if to.symmetric else (-low / scale).round_().clamp_(0, limit)
    return QParams(to.bits, to.symmetric, to.group_size, scale, zero.to(torch.int32))


def _round_up(scale: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Smallest value of ``dtype`` that is at least ``scale`` (>= 0), as float32."""
    rounded = scale.to(dtype)
    integers = torch.int16 if dtype == torch.float16 else torch.int32
    # The bit patterns of positive floats are in the order of their values.
    above = (rounded.view(integers) + 1).view(dtype)
    return torch.where(rounded.double() < scale, above, rounded).to(torch.float32)


def _check_bits(bits: int) -> None:
    if not 1 <= bits < FLOAT_BITS:
        raise QuantizationError(f"integer codes of {bits} bits", hint="integer codes take 1 to 31 bits")


def _chunks(
    matrix: torch.Tensor, qparams: QParams, dtype: torch.dtype
) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
    """Row slices of (N, K) with their scales and zero points, (rows or 1, G, 1) each."""
    rows, cols = matrix.shape
    size, groups = qparams.group_size, qparams.scale.shape[1]
    if size < 1 or groups not in (1, cols // size) or cols % size or qparams.scale.shape[0] not in (1, rows):
        raise QuantizationError(
            f"matrix of shape {(rows, cols)} with scales of shape {tuple(qparams.scale.shape)} for groups of {size}"
        )
    scale, zero = qparams.scale.to(dtype).unsqueeze(-1), qparams.zero_point.to(dtype).unsqueeze(-1)
    for start in range(0, rows, count := max(1, _CHUNK // cols)):
        part = slice(start, start + count)
        yield (part, scale, zero) if scale.shape[0] == 1 and rows > 1 else (part, scale[part], zero[part])
