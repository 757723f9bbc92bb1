"""Tables of positions at 8 bits a number: symmetric codes with a scale for each row.

With ``s`` the row's largest magnitude / 127, of 11 significant bits as float16 has them, a value is ``code * s``, which
float32 holds exactly. So codes and scales can be told from the values: a file stores them where a table holds nothing
else.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LEAST = 2**16
"""Numbers below which a table is left alone."""

_LARGEST = 127
_PARTS = 2**11
_SMALLEST = 2.0**-100


@dataclass(frozen=True, slots=True, eq=False)
class RowCodes:
    """A table.

    Args:
        codes: (n, d) int8.
        scales: (n, 1) float32 of 11 significant bits; 0 for a row of zeros.
    """

    codes: Tensor
    scales: Tensor

    @classmethod
    def of(cls, table: Tensor) -> RowCodes:
        """The nearest codes of a table (n, d)."""
        values = table.detach().float()
        fraction, power = torch.frexp(values.abs().amax(1, keepdim=True) / _LARGEST)
        scales = torch.ldexp((fraction * _PARTS).round() / _PARTS, power)
        codes = (values / torch.where(scales > 0, scales, 1.0)).round().clamp(-_LARGEST, _LARGEST)
        return cls(codes.to(torch.int8), scales)

    def values(self) -> Tensor:
        """(n, d) float32."""
        return self.codes.float() * self.scales


def takes_row_codes(table: Tensor) -> bool:
    """True for a large table (n, d) of finite floats, of rows of zeros and rows far from the ends of float32."""
    if table.ndim != 2 or table.numel() < LEAST or not bool(table.detach().isfinite().all()):
        return False
    largest = table.detach().abs().amax(1)
    return bool((((largest > _SMALLEST) & (largest < 1 / _SMALLEST)) | (largest == 0)).all())


def row_codes(table: Tensor) -> RowCodes | None:
    """Codes whose values are exactly those of ``table``; None where there are none, or it is small."""
    if not takes_row_codes(table):
        return None
    found = RowCodes.of(table)
    return found if torch.equal(found.values(), table.detach().float()) else None
