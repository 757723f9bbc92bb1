from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import numpy as np
import pytest

from myqasr_fx.audio import select_clips
from myqasr_fx.measure import observe as calibration
from myqasr_fx.measure.observe import Calibration, observe
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.progress import Advance, Silent
from myqasr_fx.runtime.torch_runner import torch_runtime

CONFIG = resolve_config(uniform_bits=4)
ENCODER_FRAMES = 1500  # Whisper hears 30 seconds, whatever the clip


class Counting(Silent):
    """Adds up the steps of each stage."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: dict[str, tuple[int, int | None]] = {}

    @contextmanager
    def _shown(self, name: str, total: int | None) -> Iterator[Advance]:
        self.steps[name] = (0, total)

        def advance(steps: int) -> None:
            self.steps[name] = (self.steps[name][0] + steps, total)

        yield advance


@pytest.fixture(scope="module")
def prepared(tiny_whisper: SpeechModel) -> Prepared:
    return prepare(tiny_whisper)


@pytest.fixture(scope="module")
def seen(prepared: Prepared, noise: list[np.ndarray]) -> Calibration:
    return observe(prepared, select_clips(noise, 4), CONFIG, Silent())


def test_transcripts_are_those_of_the_full_precision_model(
    prepared: Prepared, seen: Calibration, noise: list[np.ndarray]
) -> None:
    expected = torch_runtime(prepared.speech, prepared.program).transcribe_batch(noise)
    assert list(seen.transcripts) == expected
    assert all(transcript.tokens for transcript in expected)


def test_decoder_statistics_come_from_prefill_and_cached_steps(prepared: Prepared, seen: Calibration) -> None:
    counts = {layer: stats.count for (layer, role), stats in seen.statistics.items() if role == "output"}
    shapes = {layer.name: layer.shape for layer in prepared.layers}
    width = shapes["model.encoder.layers.0.fc1"][0]
    assert counts["model.encoder.layers.0.fc1"] == 4 * ENCODER_FRAMES * width
    settings = prepared.speech.generation
    assert settings is not None
    # The last token of a text that ends by its length is never fed back.
    fed = sum(min(2 + len(transcript.tokens), settings.max_length - 1) for transcript in seen.transcripts)
    assert counts["model.decoder.layers.0.fc1"] == fed * width
    # Keys and values of the encoder are computed once a clip, and not again for every token.
    cross = "model.decoder.layers.0.encoder_attn.k_proj"
    assert counts[cross] == 4 * ENCODER_FRAMES * shapes[cross][0]


def test_every_layer_and_product_is_seen(prepared: Prepared, seen: Calibration) -> None:
    roles = set(seen.statistics)
    for layer in prepared.layers:
        assert (layer.name, "output") in roles
        assert (layer.name, "input:0") in roles
        assert ((layer.name, "input:1") in roles) == (prod(layer.shape) == 1)  # products have two inputs and no weight
    assert seen.grams == {}


def test_batches_change_nothing_and_tell_progress(
    prepared: Prepared, seen: Calibration, noise: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "BATCH", 3)
    progress = Counting()
    again = observe(prepared, select_clips(noise, 4), CONFIG, progress)
    assert progress.steps == {"observe activations": (4, 4)}
    assert again.transcripts == seen.transcripts
    for role, stats in again.statistics.items():
        assert stats.count == seen.statistics[role].count
        assert stats.median_abs == pytest.approx(seen.statistics[role].median_abs, rel=1 / 64)


def test_the_graphs_stay_as_they_are(prepared: Prepared, seen: Calibration) -> None:
    targets = [node.op for _, _, node in prepared.program.nodes()]
    assert "call_module" not in targets


def test_gram_matrices_are_kept_only_for_a_rounding_that_uses_them(prepared: Prepared, noise: list[np.ndarray]) -> None:
    config = resolve_config(uniform_bits=4, rounding="gptq")
    grams = observe(prepared, select_clips(noise[:1], 1), config, Silent()).grams
    assert set(grams) == {layer.name for layer in prepared.layers if layer.weight is not None}
