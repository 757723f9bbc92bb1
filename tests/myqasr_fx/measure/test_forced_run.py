"""Teacher-forced runs against the runtime on the same graphs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from myqasr_fx.measure.forced_run import ForcedRun, forced_clip
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Context, Transcript, WhisperRuntime
from myqasr_fx.runtime.torch_runner import torch_runtime


@pytest.mark.parametrize("name", ["whisper-multilingual", "wavlm", "wav2vec2-conformer"])
def test_logits_are_those_of_the_runtime_from_every_cut(
    name: str, noise: list[np.ndarray], heard: Callable[..., tuple[MeasureJob, Measurements]]
) -> None:
    job, measurements = heard(name, clips=1, samples=8000)
    prepared, (transcript,) = job.prepared, measurements.observed.transcripts
    runtime = torch_runtime(prepared.speech, prepared.program)
    if isinstance(runtime, WhisperRuntime):
        runtime = replace(runtime, context=measurements.observed.context)
    expected = torch.from_numpy(runtime.logits(noise[0][:8000], transcript.tokens, transcript.language))
    run, (clip,) = ForcedRun(prepared), measurements.observed.forced(prepared.speech)
    state = run.start(clip)
    with torch.no_grad():
        for cut in run.cuts:
            state = run.advance(clip, state, cut)
            assert torch.equal(run.logits(clip, state), expected)
    assert len(run.cuts) > 4
    steps = run.first_steps()
    assert set(steps) == {layer.name for layer in prepared.layers}
    if prepared.speech.generation is None:
        assert torch.equal(expected.argmax(-1), clip.targets)
        return
    assert clip.targets.tolist() == [*transcript.tokens, prepared.speech.generation.eos_token_id]
    assert {graph for name, (graph, _) in steps.items() if "decoder" in name} == {1}


class LongFeatures:
    """A Whisper whose spectrograms have 30 s, of which a random model takes less."""

    def __init__(self, speech: SpeechModel) -> None:
        self.generation, self.config = speech.generation, speech.config

    def features(self, samples: np.ndarray) -> np.ndarray:
        return np.arange(3000, dtype=np.float32).reshape(1, 1, 3000)


def test_a_clip_is_heard_with_the_silence_of_its_context(tiny_whisper: SpeechModel) -> None:
    said, samples = Transcript("a", (7, 8), 10.0), np.zeros(160_000, np.float32)
    for context, frames in ((Context(128, 512), 2 * 640), (Context(128, 768), 2 * 768), (Context(), 3000)):
        clip = forced_clip(LongFeatures(tiny_whisper), samples, said, context)  # type: ignore[arg-type]
        assert torch.equal(clip.inputs["encoder_model"][0], torch.arange(3000.0)[:frames].reshape(1, 1, -1))


def test_clips_that_were_observed_are_heard_again_with_the_usual_margin(
    heard: Callable[..., tuple[MeasureJob, Measurements]],
) -> None:
    _, measurements = heard("whisper-smallest", clips=1)
    assert measurements.observed.context == Context(128, 512)
