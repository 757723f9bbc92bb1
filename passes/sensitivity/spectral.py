"""Nuclear norm of the difference of the output distributions."""

from __future__ import annotations

from torch import Tensor
from torch.linalg import eigvalsh


def spectral(expected: Tensor, got: Tensor) -> float:
    """Sum of the singular values of ``P - Q``, two matrices of positions by vocabulary.

    They are the square roots of the eigenvalues of the smaller of its two Gram matrices.

    Args:
        expected: (L, vocabulary) log-probabilities of the full-precision model.
        got: The same of the model with one quantized layer.
    """
    apart = expected.exp() - got.exp()
    gram = apart @ apart.T if len(apart) <= apart.shape[1] else apart.T @ apart
    return float(eigvalsh(gram).clamp(min=0).sqrt().sum())
