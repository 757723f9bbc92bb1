"""How far the output distributions move when one layer alone is quantized, by several distances.

All take ``expected``, (L, vocabulary) log-probabilities of the full-precision model, and ``got``, the same of the model
with one quantized layer, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.linalg import eigvalsh

from passes.needs import LayerAlone
from passes.observe.activation_stats import ActivationStats
from passes.sensitivity.metric import Metric

Distance = Callable[[Tensor, Tensor], float]
"""Log-probabilities (L, vocabulary), float64, of the full-precision model and of another to their distance."""

PAPER_BITS = 8
"""Width at which a distance is taken when its name says none."""


def kl(expected: Tensor, got: Tensor) -> float:
    """Mean over positions of ``sum_v p_v (log p_v - log q_v)``."""
    return float((expected.exp() * (expected - got)).sum(-1).mean())


def l1(expected: Tensor, got: Tensor) -> float:
    """Mean over positions of ``sum_v |p_v - q_v|``, which lies between 0 and 2."""
    return float((expected.exp() - got.exp()).abs().sum(-1).mean())


def l2(expected: Tensor, got: Tensor) -> float:
    """Mean over positions of ``sqrt(sum_v (p_v - q_v)**2)``."""
    return float(torch.linalg.vector_norm(expected.exp() - got.exp(), dim=-1).mean())


def frobenius(expected: Tensor, got: Tensor) -> float:
    """``sqrt(sum_tv (p_tv - q_tv)**2)`` over all positions of a clip: long clips weigh more than in ``l2``."""
    return float(torch.linalg.matrix_norm(expected.exp() - got.exp(), "fro"))


def spectral(expected: Tensor, got: Tensor) -> float:
    """Sum of the singular values of ``P - Q``, two matrices of positions by vocabulary.

    They are the square roots of the eigenvalues of the smaller of its two Gram matrices.
    """
    return _nuclear(expected.exp() - got.exp())


def frobenius_norms(expected: Tensor, got: Tensor) -> float:
    """``| |P|_F - |Q|_F |`` of a clip, the published code's: two distributions of one norm are no distance apart."""
    first, second = (float(torch.linalg.matrix_norm(side.exp(), "fro")) for side in (expected, got))
    return abs(first - second)


def spectral_norms(expected: Tensor, got: Tensor) -> float:
    """The same of sums of singular values."""
    return abs(_nuclear(expected.exp()) - _nuclear(got.exp()))


def _nuclear(matrix: Tensor) -> float:
    gram = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    return float(eigvalsh(gram).clamp(min=0).sqrt().sum())


def distance(name: str, bits: int, input_bits: int | None = None) -> Metric:
    """The metric that the distance ``name`` makes at a width, with inputs in float or quantized, too."""
    return Metric(_mean, LayerAlone(name, bits, input_bits))


def _mean(values: ActivationStats) -> float:
    return values.mean


DISTANCES: Mapping[str, Distance] = MappingProxyType(
    {
        "kl": kl,
        "l1": l1,
        "l2": l2,
        "frobenius": frobenius,
        "spectral": spectral,
        "frobenius_norms": frobenius_norms,
        "spectral_norms": spectral_norms,
    }
)
"""Name to a distance of output distributions."""

KL, L1, L2, FROBENIUS, SPECTRAL, FROBENIUS_NORMS, SPECTRAL_NORMS = (distance(name, PAPER_BITS) for name in DISTANCES)
