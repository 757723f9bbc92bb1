"""D'Agostino and Pearson's K^2 from moments, which observers keep where nobody keeps the values.

``scipy.stats.normaltest`` is the same for values at hand; ``n`` values of skewness ``g1`` and kurtosis ``b2`` give
``K^2 = Z(g1)^2 + Z(b2)^2``, where both Z are nearly standard normal when the values are normal.

Source: D'Agostino and Pearson, "Tests for departure from normality", Biometrika 60 (1973); D'Agostino, Biometrika 57
    (1970), for the skewness; Anscombe and Glynn, Biometrika 70 (1983), for the kurtosis.
"""

from __future__ import annotations

import math

from passes.observe.activation_stats import ActivationStats

FEWEST = 8
"""Values below which the approximation of the skewness does not hold; fewer are taken for as many."""


def k_squared(seen: ActivationStats) -> float:
    """K^2 of all values; it grows with their number where they are not normal."""
    n = max(seen.count, FEWEST)
    return _skewness_z(seen.skewness, n) ** 2 + _kurtosis_z(seen.kurtosis, n) ** 2


def _skewness_z(skewness: float, n: int) -> float:
    """Johnson's S_U fitted to the distribution of the skewness of n normal values."""
    standard = skewness * math.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    fourth = 3 * (n * n + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    w = math.sqrt(2 * (fourth - 1)) - 1
    return math.asinh(standard * math.sqrt((w - 1) / 2)) / math.sqrt(math.log(w) / 2)


def _kurtosis_z(kurtosis: float, n: int) -> float:
    """Wilson and Hilferty's cube root of the distribution of the kurtosis of n normal values."""
    mean = 3 * (n - 1) / (n + 1)
    deviation = math.sqrt(24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5)))
    standard = (kurtosis - mean) / deviation
    third = 6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9))
    third *= math.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    a = 6 + 8 / third * (2 / third + math.sqrt(1 + 4 / third**2))
    part = 2 / (9 * a)
    below = 1 + standard * math.sqrt(2 / (a - 4))
    return (1 - part - math.copysign(abs((1 - 2 / a) / below) ** (1 / 3), below)) / math.sqrt(part)
