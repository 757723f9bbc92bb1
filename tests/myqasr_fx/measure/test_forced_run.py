"""Teacher-forced runs against the runtime on the same graphs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from myqasr_fx.measure.forced_run import ForcedRun
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.runtime.torch_runner import torch_runtime


@pytest.mark.parametrize("name", ["whisper-multilingual", "wavlm", "wav2vec2-conformer"])
def test_logits_are_those_of_the_runtime_from_every_cut(
    name: str, noise: list[np.ndarray], heard: Callable[..., tuple[MeasureJob, Measurements]]
) -> None:
    job, measurements = heard(name, clips=1, samples=8000)
    prepared, (transcript,) = job.prepared, measurements.observed.transcripts
    runtime = torch_runtime(prepared.speech, prepared.program)
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
