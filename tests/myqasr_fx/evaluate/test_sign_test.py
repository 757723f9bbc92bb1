from __future__ import annotations

import pytest
from scipy.stats import binomtest

from myqasr_fx.evaluate.sign_test import sign_test


@pytest.mark.parametrize(("better", "worse"), [(6, 0), (5, 1), (0, 4), (3, 3), (17, 9)])
def test_it_is_the_binomial_test(better: int, worse: int) -> None:
    expected = binomtest(better, better + worse, 0.5, alternative="greater").pvalue
    assert sign_test(better, worse) == pytest.approx(expected)


def test_ties_alone_say_nothing() -> None:
    assert sign_test(0, 0) == 1
