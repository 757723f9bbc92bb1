"""Round to nearest."""

from __future__ import annotations

import torch

from passes.numbers.affine import QParams, quantize
from passes.rounding.method import Rounding
from passes.rounding.rounded import Rounded
from passes.rounding.trellis_rounding import TrellisRounding


def rtn(weight: torch.Tensor, qparams: QParams, inputs: torch.Tensor | None) -> Rounded:
    """Every weight becomes its nearest level, whatever the inputs.

    Args:
        weight: (n, K) float32.
        qparams: Of these rows.
        inputs: Not used.

    Returns:
        Codes (n, K), and the qparams as they came.
    """
    del inputs
    return Rounded(quantize(weight, qparams), qparams)


RTN = Rounding(rtn, keeps_scales=True, trellis=TrellisRounding(compensates=False))
