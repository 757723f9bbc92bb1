"""Recordings changed a little."""

from __future__ import annotations

import numpy as np
import pytest

from myqasr_fx.adapt.changed_audio import DECIBELS, changed, noisy

TONE = np.sin(np.arange(32_000) / 10).astype(np.float32)


def decibels(clean: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(clean**2) / np.mean((other - clean) ** 2)))


def test_the_same_seed_changes_it_the_same_way_and_another_does_not() -> None:
    first, again, other = (changed(TONE, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert first.dtype == np.float32 and (len(first) != len(other) or not np.array_equal(first, other))


def test_lengths_are_those_of_a_tenth_faster_or_slower() -> None:
    generator = np.random.default_rng(0)
    lengths = {len(changed(TONE, generator)) for _ in range(40)}
    assert lengths == {len(TONE), round(len(TONE) * 9 / 10), -(-len(TONE) * 11 // 10)}
    assert {len(changed(TONE, generator, keep_speed=True)) for _ in range(20)} == {len(TONE)}


def test_what_fills_30_s_is_not_made_slower() -> None:
    """Its last words would be gone."""
    generator = np.random.default_rng(0)
    for seconds in (27.2, 27.3, 30.0):
        samples = np.resize(TONE, int(16_000 * seconds))
        assert max(len(changed(samples, generator)) for _ in range(20)) <= 30 * 16_000


def test_samples_stay_as_they_were_and_very_short_ones_are_taken() -> None:
    kept = TONE.copy()
    changed(TONE, np.random.default_rng(1))
    assert np.array_equal(TONE, kept)
    assert np.isfinite(changed(TONE[:400], np.random.default_rng(1))).all()


@pytest.mark.parametrize("wanted", DECIBELS)
def test_noise_lies_so_far_below(wanted: float) -> None:
    found = noisy(TONE, wanted, np.random.default_rng(0))
    assert decibels(TONE, found) == pytest.approx(wanted, abs=0.2)
