"""Round to nearest."""

from __future__ import annotations

import torch

from passes.affine import QParams, quantize


def rtn(weight: torch.Tensor, qparams: QParams, inputs: torch.Tensor | None) -> tuple[torch.Tensor, QParams]:
    """Every weight becomes its nearest level, whatever the inputs.

    Args:
        weight: (n, K) float32.
        qparams: Of these rows.
        inputs: Not used.

    Returns:
        Codes (n, K), and the qparams as they came.
    """
    del inputs
    return quantize(weight, qparams), qparams
