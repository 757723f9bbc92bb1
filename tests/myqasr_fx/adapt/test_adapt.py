"""Who teaches, who decides, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from myqasr_fx import pipeline
from myqasr_fx.adapt.adapt import adapt
from myqasr_fx.audio import select_clips
from myqasr_fx.bundle.adaptation_record import LEAST, AdaptationRecord
from myqasr_fx.errors import AudioError
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.models.learned import Learned
from myqasr_fx.models.prepared import Prepared, with_learned, with_parameters
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Silent

MakeJob = Callable[..., MeasureJob]


@pytest.fixture
def make_job(make_speech_model: Callable[[str], SpeechModel], captured_once: Callable[..., Prepared]) -> MakeJob:
    def make(
        name: str = "whisper-smallest", clips: int = 10, cache: Path | None = None, holdout: float = 0.25
    ) -> MeasureJob:
        generator = np.random.default_rng(0)
        samples = [generator.normal(0, 0.1, 8_000 + 800 * n).astype(np.float32) for n in range(clips)]
        config = resolve_config(uniform_bits=4, no_speech_threshold=1.0, cache=cache, holdout=holdout)
        road = pipeline.Road(config, Silent(), Limits())
        return pipeline.measuring(captured_once(make_speech_model(name)), select_clips(samples, clips), road)

    return make


@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
def test_halves_teach_and_decide(name: str, make_job: MakeJob) -> None:
    job = make_job(name)
    learned = adapt(job)
    record = learned.record
    assert (record.taught, record.decided) == (5, 5)
    assert record.measure == ("divergence" if name == "whisper-smallest" else "entropy")
    assert job.shares.held_out and len(job.shares.judge) == 2
    assert record.low <= record.after - record.before <= record.high
    assert record.adopted == (record.high < 0) == bool(learned.tensors)
    assert 0 < record.taught_seconds < sum(clip.seconds for clip in job.shares.observe.clips)


def test_few_teach_of_many(make_job: MakeJob) -> None:
    job = replace(make_job(), limits=replace(Limits(), taught_clips=3))
    assert (adapt(job).record.taught, adapt(job).record.decided) == (3, 3)


def test_what_was_learned_is_kept_for_later_runs(make_job: MakeJob, tmp_path: Path) -> None:
    first = adapt(make_job(cache=tmp_path))
    kept = {path.name.partition("-")[0] for path in tmp_path.iterdir()}
    assert kept == {"transcripts", "parameters", "adaptation"}
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = adapt(make_job(cache=tmp_path))
    assert again.record == first.record and again.digest == first.digest
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_too_few_to_learn_from_are_told(make_job: MakeJob) -> None:
    with pytest.raises(AudioError, match="adapt self: 2 clips to learn from, expected at least 4") as error:
        adapt(make_job(holdout=0.8))
    assert "--holdout" in str(error.value.hint)


def test_clips_without_a_word_do_not_count(make_job: MakeJob) -> None:
    job = make_job("smallest")
    bias = job.prepared.speech.network.get_parameter("lm_head.bias").detach().clone()
    bias[job.prepared.speech.config.pad_token_id] += 1e3
    with pytest.raises(AudioError, match="adapt self: 0 clips with speech"):
        adapt(replace(job, prepared=with_parameters(job.prepared, {"lm_head.bias": bias})))


def test_too_few_clips_are_told(make_job: MakeJob) -> None:
    with pytest.raises(AudioError, match=f"adapt self: 7 clips with speech, expected at least {LEAST}") as error:
        adapt(make_job(clips=LEAST - 1))
    assert "leave --adapt out" in str(error.value.hint)


def record(adopted: bool) -> AdaptationRecord:
    return AdaptationRecord(
        adopted, "divergence", 5, 10.0, 5, 0.3, 0.2 if adopted else 0.4, -0.2, -0.1 if adopted else 0.2, 40, 3
    )


def test_a_model_that_learned_computes_with_it_and_has_statistics_of_its_own(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(cache=tmp_path)
    name = "model.encoder.layer_norm.bias"
    value = job.prepared.speech.network.get_parameter(name)
    learned = Learned(record(True), {name: value.detach() + 0.3})
    prepared = with_learned(job.prepared, learned)
    road = pipeline.Road(resolve_config(uniform_bits=4, cache=tmp_path), Silent(), Limits())
    clips = job.shares.observe
    graphs = {each.store.keys.graphs for each in (job, pipeline.measuring(prepared, clips, road))}
    assert len(graphs) == 2 and prepared.learned is learned
    left = with_learned(job.prepared, Learned(record(False)))
    assert pipeline.measuring(left, clips, road).store.keys.graphs == job.store.keys.graphs
    assert left.program is job.prepared.program
    features = torch.from_numpy(job.prepared.speech.features(np.zeros(8000, np.float32)))
    before, after = (each.program.graphs["encoder_model"](features)[0] for each in (job.prepared, prepared))
    torch.testing.assert_close(after, before + 0.3)
