"""GPTQ: rounds one input at a time and lets the inputs that follow make up for the error.

With ``H`` the Gram matrix of the layer's inputs, damped, and ``U`` the upper Cholesky factor of its inverse, column
``i`` of W is rounded and its error spreads over the columns after it::

    q_i = Q(w_i);   e = (w_i - q_i) / U_ii;   W[:, i+1:] -= e U[i, i+1:]

Columns go in the order of falling ``H_ii``; scales are fixed before, by a search weighted with ``H_ii``, so that groups
stay where they are. Columns are handled in blocks, whose errors reach the columns behind them in one product. A row
whose objective ``e H e^T`` ends above that of rounding to nearest keeps the latter. Trellis codes take whole columns,
see ``trellis_rounding``.

Source: Frantar et al., "GPTQ", ICLR 2023, algorithm 1.
"""

from __future__ import annotations

from functools import partial

import torch

from passes.needs import Needs
from passes.numbers.affine import QParams, code_dtype
from passes.numbers.scheme import MAX_PACKED_BITS
from passes.rounding.carry import CHUNK, Columns, carry_errors, falling_columns
from passes.rounding.method import Rounding
from passes.rounding.rounded import Rounded, or_nearest
from passes.rounding.rtn import rtn
from passes.rounding.scale_search import search_scales
from passes.rounding.snap import NearestLevels
from passes.rounding.trellis_rounding import TrellisRounding
from passes.rounding.walk import walked


def gptq(weight: torch.Tensor, qparams: QParams, inputs: torch.Tensor | None) -> Rounded:
    """Codes that keep the layer's output on the user's clips.

    Args:
        weight: (n, K) float32.
        qparams: Of these rows.
        inputs: (K, K) Gram matrix; None, or a width above 8 bits, rounds to nearest.

    Returns:
        Codes (n, K), and the qparams after the search.
    """
    if inputs is None or qparams.bits > MAX_PACKED_BITS:
        return rtn(weight, qparams, inputs)
    return or_nearest(weight, qparams, compensated(weight, qparams, inputs), inputs)


def compensated(weight: torch.Tensor, qparams: QParams, gram: torch.Tensor) -> Rounded:
    """The same, whether or not rounding to nearest is better for some rows."""
    searched, columns = search_scales(weight, qparams, gram.diagonal()), falling_columns(gram)
    return Rounded(_solve(weight, searched, columns), searched, damping=columns.damping)


def _solve(weight: torch.Tensor, qparams: QParams, columns: Columns) -> torch.Tensor:
    """Codes (n, K) of the column-by-column rounding."""
    codes = torch.empty(weight.shape, dtype=code_dtype(qparams.bits))
    single = qparams.scale.shape[0] == 1
    for start in range(0, len(weight), CHUNK):
        rows = slice(start, min(len(weight), start + CHUNK))
        snap = NearestLevels(qparams.part(slice(None) if single else rows), codes[rows].shape)
        carry_errors(weight[rows], columns, partial(walked, snap=snap))
        codes[rows] = snap.codes.t()
    return codes


GPTQ = Rounding(gptq, Needs(grams=True), trellis=TrellisRounding(compensates=True))
