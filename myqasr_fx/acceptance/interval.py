"""95 % intervals of what is counted on clips: wide for few clips, and never of no width.

Tokens of one clip go wrong together: clips, not tokens, are drawn. Let R be the rate over all clips and V(R) the
variance of a single token if tokens were independent: R(1 - R) for a share, R for a count a word, R^2 for nats. The
dispersion is the variance of R among clips over V(R) / tokens. Few clips tell it poorly, and clips that all agree not
at all: that of development speech counts as much as ``PRIOR_CLIPS`` clips beside those at hand. Tokens over dispersion,
less what the t distribution takes off for few clips, are as many independent tokens; theirs is the exact interval that
is taken.

Resampling clips, the usual way, gives 100 % to 100 % where eight clips agree, and covers too seldom with few clips;
``benchmarks/acceptance_rates.py`` compares the two.

Source: E. Korn and B. Graubard, "Confidence intervals for proportions with small expected number of positive counts
estimated from survey data", 1998, for shares; F. Garwood, "Fiducial limits for the Poisson distribution", 1936, for
counts; G. Smyth, "Linear models and empirical Bayes methods", 2004, for the moderated variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, unique

import numpy as np
from scipy.stats import beta, chi2, norm, t

from myqasr_fx.evaluate.bootstrap import Interval

PRIOR_CLIPS = 4.0
"""Clips that the dispersion of development speech counts as."""

_TAIL = 0.025
_Z = float(norm.ppf(1 - _TAIL))


@unique
class Law(Enum):
    """What is counted, and its dispersion on development speech (``benchmarks/results/direction.csv``, rounded up)."""

    SHARE = 1.5
    COUNT = 2.0
    NATS = 15.0

    def variance(self, rate: float) -> float:
        """Of one independent token."""
        return {Law.SHARE: rate * (1 - rate), Law.COUNT: rate, Law.NATS: rate * rate}[self]


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What was counted clip by clip.

    Args:
        counts: (N,) of each clip: tokens that agree, words left out, nats.
        totals: (N,) tokens or words of each clip.
        law: How the counts scatter.
    """

    counts: Sequence[float]
    totals: Sequence[int]
    law: Law

    @property
    def rate(self) -> float:
        """Of all clips together; of nothing, the count itself."""
        return sum(self.counts) / max(sum(self.totals), 1)

    def interval(self, times: float = 1.0) -> Interval:
        """95 % interval of the rate.

        Args:
            times: As if there were so many times the clips, with the same rate and dispersion.
        """
        rate, independent = self.rate, self._independent(times)
        if self.law is Law.NATS:
            factor = float(np.exp(_Z / independent**0.5))
            return Interval(rate / factor, rate * factor)
        count = rate * independent
        if self.law is Law.COUNT:
            low = chi2.ppf(_TAIL, 2 * count) / 2 if count else 0.0
            return Interval(float(low / independent), float(chi2.ppf(1 - _TAIL, 2 * count + 2) / 2 / independent))
        missed = independent * (1 - rate)
        low = beta.ppf(_TAIL, count, missed + 1) if count else 0.0
        high = beta.ppf(1 - _TAIL, count + 1, missed) if missed > 0 else 1.0
        return Interval(float(low), float(high))

    def _independent(self, times: float) -> float:
        """Independent tokens that tell as much as these clips."""
        own, dispersion = len(self.counts) - 1, self.law.value
        if (found := self._dispersion()) is not None:
            dispersion = (own * found + PRIOR_CLIPS * dispersion) / (own + PRIOR_CLIPS)
        few = _Z / float(t.ppf(1 - _TAIL, times * len(self.counts) - 1 + PRIOR_CLIPS))
        return times * max(sum(self.totals), 1) / max(dispersion, 1.0) * few**2

    def _dispersion(self) -> float | None:
        """Of these clips; None where they cannot tell it."""
        counts, totals, clips = np.asarray(self.counts, float), np.asarray(self.totals, float), len(self.counts)
        variance = self.law.variance(self.rate)
        if clips < 2 or variance <= 0 or not totals.sum():
            return None
        errors = counts - self.rate * totals
        return float(clips / (clips - 1) * np.square(errors).sum() / totals.sum() / variance)
