"""Two ranges for one activation: what a softmax or a GELU leaves crowds near zero and reaches far from it.

A code of ``b`` bits spends one on the range and the others on the level there; ``top = 2**(b - 1) - 1``::

    after a softmax (``Split.SIZE``)   fine * (0 .. top), and coarse * (0 .. top) for what lies beyond
    after a GELU (``Split.SIGN``)      fine * (-top - 1 .. 0) below zero, coarse * (0 .. top) above it

``coarse = 2**exponent * fine``: an integer product would line the two up by a shift. QuantizeLinear has one scale and
one zero point a tensor, so no file of standard operators holds such codes.

Source: Yuan et al., "PTQ4ViT: Post-Training Quantization for Vision Transformers with Twin Uniform Quantization",
ECCV 2022, section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from passes.errors import QuantizationError
from passes.numbers.affine import QParams

EXPONENTS = range(16)
"""Of two between the scales of the two ranges."""


class Split(StrEnum):
    """What decides which range a value is in."""

    SIZE = "size"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class TwinQParams:
    """Scales of both ranges of an activation.

    Args:
        bits: Of a code, 2 to 16.
        split: What selects the range.
        coarse: Scale of the far range, a positive float32 value.
        exponent: The fine scale is ``coarse / 2**exponent``.

    Raises:
        QuantizationError: The width or the exponent is out of range, or the scale is no positive number.
    """

    bits: int
    split: Split
    coarse: float
    exponent: int

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 16 or self.exponent not in EXPONENTS:
            raise QuantizationError(f"two ranges of {self.bits} bits, 2**{self.exponent} apart")
        if not (math.isfinite(self.coarse) and self.coarse > 0):
            raise QuantizationError(f"scale {self.coarse} of two ranges: expected a positive number")

    @property
    def fine(self) -> float:
        """Scale of the near range."""
        return math.ldexp(self.coarse, -self.exponent)

    @property
    def top(self) -> int:
        """Highest level of a range."""
        return (1 << (self.bits - 1)) - 1

    @property
    def near(self) -> tuple[int, int]:
        """First and last level of the near range."""
        return (0, self.top) if self.split is Split.SIZE else (-self.top - 1, 0)


ActivationQParams = QParams | TwinQParams
"""What an activation is quantized to."""


def twin_qparams(high: float, bits: int, split: Split, exponent: int) -> TwinQParams:
    """Qparams whose far range ends at ``high``; a range without positive values gets scale 1.

    Args:
        high: Largest activation.
        bits: Of a code.
        split: What selects the range.
        exponent: Of two between the scales.

    Raises:
        QuantizationError: The range is not finite.
    """
    top = (1 << (bits - 1)) - 1
    scale = float(torch.tensor(high / top, dtype=torch.float32)) if high > 0 else 1.0
    return TwinQParams(bits, split, scale or 1.0, exponent)


def covering(qparams: TwinQParams, low: float) -> TwinQParams:
    """The same far range with the finest near one that still reaches down to ``low`` (< 0)."""
    reach = qparams.coarse * (qparams.top + 1)
    exponent = EXPONENTS[-1] if low >= 0 else math.floor(math.log2(reach / -low))
    exponent = min(max(exponent, EXPONENTS[0]), EXPONENTS[-1])
    return TwinQParams(qparams.bits, qparams.split, qparams.coarse, exponent)


def round_twin(values: Tensor, tried: Sequence[TwinQParams]) -> Tensor:
    """Values rounded, half to even, to each of several qparams of one width and split.

    Args:
        values: Of any shape; not negative when size decides.
        tried: At least one.

    Returns:
        (C, *values.shape) for C qparams.
    """
    like, shape = tried[0], (len(tried), *(1,) * values.ndim)
    fine, coarse = (torch.tensor([getattr(q, name) for q in tried]).reshape(shape) for name in ("fine", "coarse"))
    level = (values / fine).round_()
    is_near = level <= like.top if like.split is Split.SIZE else (values < 0).expand(level.shape)
    far = (values / coarse).round_().clamp_(0, like.top).mul_(coarse)
    return torch.where(is_near, level.clamp_(*like.near).mul_(fine), far)
