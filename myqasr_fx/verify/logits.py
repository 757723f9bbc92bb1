"""How far two computations of the same logits are apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """A candidate's logits beside expected ones.

    Args:
        error: Relative L2 error over all positions of all clips, to three digits.
        noise: (L,) for each clip: largest difference at each position.
        margin: (L,) for each clip: by how much the expected logits prefer their best token to the candidate's; 0 where
            both prefer the same.
    """

    error: float
    noise: tuple[np.ndarray, ...]
    margin: tuple[np.ndarray, ...]


def difference(got: Iterable[np.ndarray], expected: Sequence[np.ndarray]) -> Difference:
    """Compares logits (L, vocabulary) clip by clip; takes one clip of ``got`` at a time."""
    squares = total = 0.0
    noise, margin = [], []
    for candidate, reference in zip(got, expected, strict=True):
        apart = candidate - reference
        squares += _energy(apart)
        total += _energy(reference)
        noise.append(np.abs(apart).max(-1))
        theirs = np.take_along_axis(reference, candidate.argmax(-1)[:, None], -1)[:, 0]
        margin.append(reference.max(-1) - theirs)
    return Difference(float(f"{np.sqrt(squares / total):.2e}"), tuple(noise), tuple(margin))


def agreement(shipped: Difference, exact: Difference) -> float:
    """Share of positions where the shipped session prefers the expected token, or one tied with it.

    Args:
        shipped: Of the session to judge.
        exact: Of exact kernels. Two tokens are tied when these move one up and the other down by as much as their
            distance: no kernel can tell them apart.
    """
    same = sum(int((m <= 2 * n).sum()) for m, n in zip(shipped.margin, exact.noise, strict=True))
    return same / sum(len(m) for m in shipped.margin)


def _energy(values: np.ndarray) -> float:
    return float(np.square(values, dtype=np.float64).sum())
