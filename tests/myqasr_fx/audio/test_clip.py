from pathlib import Path

import numpy as np

from myqasr_fx.audio import Clip, clip_name

SAMPLES = np.ones(16_000, np.float32)


def test_a_clip_is_named_without_its_folder() -> None:
    assert clip_name(Clip(Path("/home/me/a.wav"), SAMPLES)) == "a.wav"
    assert clip_name(Clip(Path("/home/me/a.wav"), SAMPLES, 30.0)) == "a.wav from 30 s"
    assert clip_name(Clip(None, SAMPLES)) == "recording"
