import numpy as np
import pytest

from myqasr_fx.diagnose.token import first_difference


def rows(*best: int) -> np.ndarray:
    """Logits (L, 4) that prefer these tokens by 2."""
    return 2.0 * np.eye(4)[list(best)]


def test_the_first_difference_of_the_first_clip_that_has_one() -> None:
    same, full, bundle = rows(0, 1), rows(1, 2, 3), rows(1, 3, 0)
    position = first_difference([(same, same, same), (full, full, bundle)])
    assert position is not None
    assert (position.clip, position.index, position.expected, position.got) == (1, 1, 2, 3)
    assert (position.margin, position.rounding_margin, position.bundle_margin) == (2.0, 2.0, -2.0)
    assert position.usual_margin == pytest.approx(2.0)
    assert position.margin_of(full) == 2.0
    assert first_difference([(same, same, same)]) is None
