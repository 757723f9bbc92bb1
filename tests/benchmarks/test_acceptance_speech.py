"""Which recordings the acceptance study uses for what."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from acceptance_outcomes import DEV, TEST
from acceptance_speech import Speech
from splits import CALIBRATION, Splits
from splits import DEV as OTHERS
from splits import TEST as STRANGERS

COUNTS = {CALIBRATION: 60, OTHERS[0]: 30, OTHERS[1]: 20, STRANGERS: 60}


@pytest.fixture
def speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Speech:
    random = np.random.default_rng(0)
    lines = []
    for dataset, count in COUNTS.items():
        for index in range(count):
            name = f"{dataset}-{index}.wav"
            soundfile.write(tmp_path / name, random.normal(0, 0.1, 800), 16_000)
            lines.append(json.dumps({"audio": name, "text": "text", "lang": "en", "dataset": dataset}))
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("\n".join(lines), encoding="utf-8")
    from myqasr_fx.evaluate import read_manifest

    splits = Splits.of(read_manifest(manifest))
    monkeypatch.setattr(Splits, "read", classmethod(lambda cls: splits))
    return Speech.read(manifest)


def test_no_recording_does_two_things(speech: Speech) -> None:
    dev, test = speech.sides[DEV], speech.sides[TEST]
    heard = [clip.path for clips in (speech.calibration.clips, dev.judged, test.judged) for clip in clips]
    heard += [utterance.audio for side in (dev, test) for utterance in side.labelled]
    assert len(heard) == len(set(heard)) == 24 + 14 + 12 + 24 + 48


def test_the_test_side_hears_nobody_of_the_dev_side(speech: Speech) -> None:
    test = speech.sides[TEST]
    assert {u.fields["dataset"] for u in test.labelled} == {STRANGERS}
    assert all(str(clip.path and clip.path.name).startswith(STRANGERS) for clip in test.judged)
    assert {u.fields["dataset"] for u in speech.sides[DEV].labelled} == {CALIBRATION, *OTHERS}
