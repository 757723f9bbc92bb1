from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.measure.observe import observe
from myqasr_fx.measure.store import Store
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Progress
from myqasr_fx.runtime.torch_runner import torch_runtime
from passes.needs import Needs

ENCODER_FRAMES = 1500  # Whisper hears 30 seconds, whatever the clip


@pytest.fixture(scope="module")
def job(heard: Callable[..., tuple[MeasureJob, Measurements]]) -> MeasureJob:
    return heard("whisper")[0]


@pytest.fixture(scope="module")
def seen(heard: Callable[..., tuple[MeasureJob, Measurements]]) -> Measurements:
    return heard("whisper")[1]


def test_transcripts_are_those_of_the_full_precision_model(
    job: MeasureJob, seen: Measurements, noise: list[np.ndarray]
) -> None:
    expected = torch_runtime(job.prepared.speech, job.prepared.program).transcribe_batch(noise)
    assert list(seen.observed.transcripts) == expected
    assert all(transcript.tokens for transcript in expected)


def test_decoder_statistics_come_from_prefill_and_cached_steps(job: MeasureJob, seen: Measurements) -> None:
    counts = {layer: stats.count for (layer, role), stats in seen.statistics.items() if role == "output"}
    shapes = {layer.name: layer.shape for layer in job.prepared.layers}
    width = shapes["model.encoder.layers.0.fc1"][0]
    assert counts["model.encoder.layers.0.fc1"] == 4 * ENCODER_FRAMES * width
    settings = job.prepared.speech.generation
    assert settings is not None
    # The last token of a text that ends by its length is never fed back.
    fed = sum(min(2 + len(transcript.tokens), settings.max_length - 1) for transcript in seen.observed.transcripts)
    assert counts["model.decoder.layers.0.fc1"] == fed * width
    # Keys and values of the encoder are computed once a clip, and not again for every token.
    cross = "model.decoder.layers.0.encoder_attn.k_proj"
    assert counts[cross] == 4 * ENCODER_FRAMES * shapes[cross][0]


def test_every_layer_and_product_is_seen(job: MeasureJob, seen: Measurements) -> None:
    roles = set(seen.statistics)
    for layer in job.prepared.layers:
        assert (layer.name, "output") in roles
        assert (layer.name, "input:0") in roles
        assert ((layer.name, "input:1") in roles) == (prod(layer.shape) == 1)  # products have two inputs and no weight
    assert seen.grams == {}


def test_batches_change_nothing_and_tell_progress(
    job: MeasureJob, seen: Measurements, recorder: Callable[[], Progress]
) -> None:
    progress = recorder()
    again = observe(replace(job, limits=Limits(batch=3), progress=progress), job.shares.observe)
    assert progress.steps == {"observe activations": (4, 4)}  # type: ignore[attr-defined]
    assert again.observed.transcripts == seen.observed.transcripts
    for role, stats in again.statistics.items():
        assert stats.count == seen.statistics[role].count
        assert stats.median_abs == pytest.approx(seen.statistics[role].median_abs, rel=1 / 64)


def test_the_graphs_stay_as_they_are(job: MeasureJob, seen: Measurements) -> None:
    targets = [node.op for _, _, node in job.prepared.program.nodes()]
    assert "call_module" not in targets


def test_gram_matrices_are_kept_only_for_a_rounding_that_uses_them(
    heard: Callable[..., tuple[MeasureJob, Measurements]],
) -> None:
    job, measurements = heard("whisper", clips=1, rounding="gptq")
    assert set(measurements.grams) == {layer.name for layer in job.prepared.layers if layer.weight is not None}


def test_curvature_leaves_the_matrices_of_looked_up_layers_to_the_observers(
    heard: Callable[..., tuple[MeasureJob, Measurements]],
) -> None:
    job = heard("whisper", clips=1, rounding="gptq")[0]
    both = replace(job, request=replace(job.request, needs=Needs(grams=True, curvature=True)))
    assert set(observe(both, job.shares.observe).grams) == {"model.decoder.embed_tokens"}


def test_what_was_seen_is_kept_and_serves_whoever_needs_no_more(
    heard: Callable[..., tuple[MeasureJob, Measurements]], recorder: Callable[[], Progress], tmp_path: Path
) -> None:
    job, first = heard("smallest", clips=2, samples=8000)
    ran: list[dict[str, object]] = []
    for needs in (Needs(), Needs(), Needs(grams=True), Needs(grams=True), Needs()):
        progress, request = recorder(), replace(job.request, needs=needs)
        kept = replace(job, request=request, store=Store(tmp_path, job.store.keys), progress=progress)
        found = observe(kept, job.shares.observe)
        assert found.statistics == first.statistics
        assert found.observed.transcripts == first.observed.transcripts
        assert bool(found.grams) is needs.grams
        ran.append(progress.steps)  # type: ignore[attr-defined]
    assert [bool(steps) for steps in ran] == [True, False, True, False, False]
