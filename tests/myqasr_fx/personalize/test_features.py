from __future__ import annotations

import numpy as np

from myqasr_fx.personalize import features
from myqasr_fx.personalize.features import FeatureCache


def test_each_recording_is_computed_once(monkeypatch) -> None:
    monkeypatch.setattr(features, "MOST", 1)
    asked: list[float] = []

    def compute(samples: np.ndarray) -> np.ndarray:
        asked.append(float(samples[0]))
        return samples * 2

    cached = FeatureCache(compute)
    for value in (1.0, 1.0, 3.0, 3.0):  # the second recording finds no room
        assert cached(np.array([value]))[0] == 2 * value
    assert asked == [1, 3, 3]
