from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from myqasr_fx.audio import select_clips
from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.diagnose.recordings import choose


@pytest.fixture
def judged(manifest: BundleManifest, noise: list[np.ndarray]) -> BundleManifest:
    """A bundle whose verdict rests on the last two of four recordings."""
    assert manifest.acceptance is not None
    own = tuple(clip.sha256 for clip in select_clips(noise).clips[2:])
    return replace(manifest, acceptance=replace(manifest.acceptance, judged=own))


def test_the_clips_of_the_verdict_are_taken_where_they_are(judged: BundleManifest, noise: list[np.ndarray]) -> None:
    chosen = choose(noise, judged, 1)
    assert chosen.judged and chosen.alone == 1
    assert [clip.samples[0] for clip in chosen.clips] == [samples[0] for samples in noise[2:]]


def test_other_recordings_are_taken_as_they_come(judged: BundleManifest, noise: list[np.ndarray]) -> None:
    chosen = choose(noise[:3], judged, 2)
    assert not chosen.judged and len(chosen.clips) == 2
    old = replace(judged, acceptance=None)
    assert not choose(noise, old, 2).judged


@pytest.mark.parametrize("wrong", [{"max_clips": "many"}, {"max_clips": -1}, {"max_clips": 10**9}, {"seed": -3}])
def test_a_manifest_is_not_believed_blindly(
    wrong: dict[str, Any], judged: BundleManifest, noise: list[np.ndarray]
) -> None:
    changed = replace(judged, config={**judged.config, **wrong})
    assert choose(noise, changed, 2).judged
