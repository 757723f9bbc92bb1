"""What a rounding method is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from passes.needs import NOTHING, Needs
from passes.numbers.affine import QParams
from passes.numbers.trellis import Tables
from passes.rounding.rounded import Rounded

Run = Callable[[Tensor, QParams, Tensor | None], Rounded]
"""Weights (n, K), their qparams and the Gram matrix (K, K) of the layer's inputs or None to codes (n, K) with the
qparams that they belong to, which it may have changed, and the number of rows where what it started from was better."""


@dataclass(frozen=True, slots=True, eq=False)
class Strings:
    """What strings of trellis codes are searched for.

    Args:
        bits: Of all columns together, for each output: 1 to 6 a column.
        tables: Bits to (4096,) levels, for every width that a column may have.
        importance: (n,) of rows: what a squared error costs, beside that of other rows; None weighs them alike. Rows
            share strings, which then serve some of them more than others.
    """

    bits: int
    tables: Tables
    importance: Tensor | None = None


RunTrellis = Callable[[Tensor, QParams, Tensor | None, Strings], Rounded]
"""Weights (n, K), their 8-bit symmetric qparams, the Gram matrix (K, K) or None, and what strings to search for, to
strings with the qparams that they belong to."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """A way to choose codes.

    Args:
        run: Does it.
        needs: ``grams``, or nothing beyond the weight.
        draft: Name of the method that stands in for it while files are only weighed: codes change no bytes.
        keeps_scales: Codes are for the scales as they came, so that those of a calibration method count.
        trellis: Does it for trellis codes; None where it cannot.
    """

    run: Run
    needs: Needs = NOTHING
    draft: str = "rtn"
    keeps_scales: bool = False
    trellis: RunTrellis | None = None
