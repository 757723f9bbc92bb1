"""Clips without speech are left out of the calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx.audio import Clip, ClipSet, RejectedAudio
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.cli.app import main
from myqasr_fx.cli.views import summary
from myqasr_fx.errors import AudioError
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measure import measure
from myqasr_fx.measure.measurements import Measurements, Observed
from myqasr_fx.measure.observe import observe
from myqasr_fx.measure.speech import clips_with_speech
from myqasr_fx.process.progress import Progress
from myqasr_fx.runtime import NoSpeechRule, Transcript

Heard = Callable[..., tuple[MeasureJob, Measurements]]
CompileModel = Callable[..., QuantizedBundle]

SPEECH, NOTHING = Transcript("you", (1,), 1.0), Transcript("", (1,), 1.0, no_speech=True)


def observed(*said: Transcript) -> Observed:
    clips = tuple(Clip(Path(f"/home/someone/{i}.wav"), np.ones(400, np.float32), 30.0 * i) for i in range(len(said)))
    return Observed(ClipSet(clips, (RejectedAudio(None, "array 9: is empty"),), "a note"), said)


def test_only_clips_without_speech_are_left_out() -> None:
    given = observed(SPEECH, NOTHING, SPEECH, NOTHING)
    found = clips_with_speech(given)
    assert found.clips == given.clips.clips[::2]
    assert found.note == "a note"
    why = "the model hears no speech in it"
    assert [item.reason for item in found.rejected] == [
        "array 9: is empty",
        f"1.wav from 30 s: {why}",
        f"3.wav from 90 s: {why}",
    ]


def test_where_all_hold_speech_nothing_changes() -> None:
    given = observed(SPEECH, SPEECH)
    assert clips_with_speech(given) is given.clips


@pytest.mark.parametrize(
    ("count", "named"),
    [(1, ": 0.wav ("), (5, ": 0.wav, 1.wav from 30 s, 2.wav from 60 s and 2 more (")],
)
def test_no_speech_at_all_is_one_error(count: int, named: str) -> None:
    with pytest.raises(AudioError) as error:
        clips_with_speech(observed(*[NOTHING] * count))
    text = str(error.value)
    assert "the model hears no speech in any clip" in text and named in text and "--no-speech-threshold 1" in text
    assert len(text) < 280


@pytest.fixture(scope="module")
def bound(heard: Heard) -> float:
    """A probability that two of the four clips of noise are above, to a random model."""
    _, plain = heard("whisper-smallest")
    found = sorted(said.no_speech_probability or 0.0 for said in plain.observed.transcripts)
    assert found[1] < found[2]
    assert all((said.log_probability or 0) < -1 for said in plain.observed.transcripts)
    return (found[1] + found[2]) / 2


def test_the_others_are_observed_by_themselves(heard: Heard, bound: float, recorder: Callable[[], Progress]) -> None:
    job, plain = heard("whisper-smallest")
    progress, rule = recorder(), NoSpeechRule(no_speech_threshold=bound)
    found = measure(replace(job, request=replace(job.request, no_speech=rule), progress=progress))
    kept = tuple(clip for clip, said in plain.observed.pairs() if (said.no_speech_probability or 0) < bound)
    assert found.observed.clips.clips == kept and len(kept) == 2
    assert [said.no_speech for said in found.observed.transcripts] == [False, False]
    assert found.statistics == observe(job, ClipSet(kept)).statistics != plain.statistics
    assert progress.begun == {"observe activations": 2}  # type: ignore[attr-defined]
    shares = job.shares.of(found.observed.clips, job.limits)
    assert (shares.observe, shares.judge) == (found.observed.clips, kept)
    assert max(*shares.curvature, *shares.probe, *shares.correct, *shares.sequence) < 2


def test_the_manifest_and_the_console_say_so(compile_model: CompileModel, bound: float) -> None:
    options = {"uniform_bits": 4, "no_speech_threshold": bound}
    bundle = compile_model("whisper-smallest", **options)
    record = bundle.manifest.calibration
    assert (record.clips, record.seconds) == (2, 2.0)
    assert record.rejected == ("recording: the model hears no speech in it",) * 2
    texts = [str(item) for item in summary(bundle).renderables]  # type: ignore[union-attr]
    assert texts.count("not used: recording: the model hears no speech in it") == 2
    private = compile_model("whisper-smallest", **options, private=True).manifest.calibration
    assert private.rejected == ("2 recordings could not be used",)


def test_clips_with_speech_give_the_same_bytes_whatever_the_rule(compile_model: CompileModel, tmp_path: Path) -> None:
    found = []
    for threshold in (None, 1):
        bundle = compile_model("whisper-smallest", uniform_bits=4, no_speech_threshold=threshold)
        found.append({path.name: path.read_bytes() for path in bundle.path.glob("*.onnx")})
        assert bundle.manifest.calibration.rejected == ()
    assert found[0] == found[1] and len(found[0]) == 2


def test_what_was_kept_of_one_rule_is_not_taken_for_another(heard: Heard, bound: float, tmp_path: Path) -> None:
    found = [
        heard("whisper-smallest", cache=tmp_path / "cache", no_speech_threshold=threshold)[1]
        for threshold in (None, bound, None, bound)
    ]
    assert [len(measurements.observed.clips.clips) for measurements in found] == [4, 2, 4, 2]


def test_a_run_without_speech_ends_with_2(
    save_model: Callable[..., Path], noise: list[np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_model("whisper-smallest")
    soundfile.write(tmp_path / "noise.wav", noise[0], 16_000)
    words = ["quantize", str(model), str(tmp_path / "noise.wav"), "--uniform-bits", "4", "--no-speech-threshold", "0"]
    with pytest.raises(SystemExit) as stop:
        main([*words, "--out", str(tmp_path / "out")])
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("myqasr: no usable audio: the model hears no speech in any clip: noise.wav (give ")
    assert not (tmp_path / "out").exists()
