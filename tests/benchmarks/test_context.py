"""Clips of one speaker and one length, and the table of what became of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from context import Row, clips_of, table

from myqasr_fx.evaluate import Utterance


def test_clips_are_of_one_speaker_and_one_length(tmp_path: Path) -> None:
    utterances = []
    for name, speaker, seconds in (("a", "x", 1.5), ("b", "x", 1.0), ("c", "y", 1.9)):
        soundfile.write(tmp_path / f"{name}.wav", np.full(int(16_000 * seconds), 0.1), 16_000)
        utterances.append(Utterance(tmp_path / f"{name}.wav", "", None, {"speaker": speaker}))
    assert [len(clip) for clip in clips_of(utterances, 1)] == [16_000] * 3  # 2.5 s of x, 1.9 s of y
    assert [len(clip) for clip in clips_of(utterances, 2)] == [32_000]


def test_each_way_is_beside_30_s_of_its_bundle() -> None:
    rows = [
        Row(5, 0, "full", 10, 0, 0, 2.0),
        Row(5, 0, "exact", 10, 4, 1, 0.5),
        Row(5, 0, "counted, full", 12, 0, 0, 1.0),
        Row(5, 0, "counted", 12, 3, 0, 0.5),
    ]
    assert table(rows)[2:] == [
        "| 5 | counted | 1 | 0.50 | 25.0% | 0 |",
        "| 5 | counted, full | 1 | 1.00 | 0.0% | 0 |",
        "| 5 | exact | 1 | 0.25 | 40.0% | 1 |",
        "| 5 | full | 1 | 1.00 | 0.0% | 0 |",
    ]
