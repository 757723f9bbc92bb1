from dataclasses import replace

import numpy as np

from myqasr_fx.acceptance.again import judged_clips
from myqasr_fx.audio import Clip
from myqasr_fx.bundle.bundle import BundleManifest

CLIPS = tuple(Clip(None, np.full(400, index + 1, np.float32)) for index in range(4))


def test_the_clips_of_a_verdict_are_found_whatever_lies_between_them(manifest: BundleManifest) -> None:
    assert manifest.acceptance is not None
    record = replace(manifest.acceptance, judged=(CLIPS[2].sha256, CLIPS[0].sha256))
    assert judged_clips(record, CLIPS) == (CLIPS[2], CLIPS[0])
    assert judged_clips(record, CLIPS[:2]) == ()  # one is missing


def test_bundles_that_name_none_have_none(manifest: BundleManifest) -> None:
    assert manifest.acceptance is not None
    assert judged_clips(replace(manifest.acceptance, judged=()), CLIPS) == ()
    assert judged_clips(None, CLIPS) == ()
