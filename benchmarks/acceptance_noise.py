"""How well the true losses rank the models themselves: their own noise bounds what any predictor can reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from acceptance_outcomes import FULL, TEST, Errors, Outcome, Variant
from scipy.stats import spearmanr

DRAWS = 200
"""Random halves of the recordings."""


def reliability(errors: Mapping[tuple[Variant, str], Sequence[Errors]], models: Sequence[Outcome]) -> float:
    """Rank correlation to expect between the losses measured here and those on as many other recordings.

    Spearman's correlation between the losses on two random halves of the labelled recordings, averaged over draws and
    stepped up to all of them (Spearman and Brown, 1910).

    Args:
        errors: Word errors of the labelled recordings, those of full precision included.
        models: Models on the test side.
    """
    full = {model: errors[Variant(model, FULL, "", 0), TEST] for model in {o.variant.model for o in models}}
    changes = np.array(
        [
            [
                got.errors - whole.errors
                for got, whole in zip(errors[o.variant, TEST], full[o.variant.model], strict=True)
            ]
            for o in models
        ]
    )
    words = np.array([row.words for row in next(iter(full.values()))])
    random, found = np.random.default_rng(0), []
    for _ in range(DRAWS):
        first, second = np.array_split(random.permutation(len(words)), 2)
        halves = [changes[:, part].sum(1) / words[part].sum() for part in (first, second)]
        if all(np.ptp(losses) > 0 for losses in halves):  # equal losses have no ranks
            found.append(float(spearmanr(*halves).statistic))
    half = max(float(np.mean(found)), 0.0)
    return 2 * half / (1 + half)


def sentence(value: float) -> str:
    """What the number means for the table of correlations."""
    ceiling = max(value, 0.0) ** 0.5
    return (
        f"The losses themselves are noisy: those measured on as many other recordings are expected to correlate with "
        f"these by {value:.2f}, so no figure can be expected to reach more than {ceiling:.2f}."
    )
