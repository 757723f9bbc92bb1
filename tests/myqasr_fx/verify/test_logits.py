import numpy as np
import pytest

from myqasr_fx.verify.logits import agreement, difference

EXPECTED = [np.array([[0.0, 3.0, 1.0], [2.0, 0.0, 1.999]])]
SAME = difference(EXPECTED, EXPECTED)


def moved(position: int, token: int, by: float) -> list[np.ndarray]:
    values = EXPECTED[0].copy()
    values[position, token] += by
    return [values]


def test_error_is_pooled_over_clips() -> None:
    expected = [np.full((2, 3), 2.0), np.full((1, 3), 2.0)]
    got = [expected[0], expected[1] + 0.2]
    assert difference(got, expected).error == pytest.approx(0.1 / 3**0.5, abs=1e-3)
    assert SAME.error == 0.0


def test_another_best_token_disagrees() -> None:
    assert agreement(SAME, SAME) == 1.0
    assert agreement(difference(moved(0, 2, 2.5), EXPECTED), SAME) == 0.5
    assert agreement(difference(moved(1, 2, 0.01), EXPECTED), SAME) == 0.5


def test_tokens_that_exact_kernels_cannot_tell_apart_are_tied() -> None:
    shipped = difference(moved(1, 2, 0.01), EXPECTED)
    for position, by, share in (
        (1, 0.0006, 1.0),  # either token may move by as much
        (1, 0.0004, 0.5),
        (0, 5.0, 0.5),  # noise elsewhere excuses nothing here
    ):
        assert agreement(shipped, difference(moved(position, 1, by), EXPECTED)) == share


def test_undefined_logits_never_agree() -> None:
    undefined = difference([np.full((2, 3), np.nan)], EXPECTED)
    assert not undefined.error <= 1.0
    assert agreement(undefined, undefined) == 0.0
    assert agreement(undefined, SAME) < 1.0
