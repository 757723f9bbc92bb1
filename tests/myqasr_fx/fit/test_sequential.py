"""round_in_sequence: rounding each layer on what it really reads brings the model nearer to full precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import fx

from myqasr_fx.audio import select_clips
from myqasr_fx.fit import sequential as sequence
from myqasr_fx.fit.fit import fit_in_torch
from myqasr_fx.fit.sequential import _Sequence
from myqasr_fx.measure.forced_run import Cut, ForcedRun
from myqasr_fx.measure.measure import measure
from myqasr_fx.measure.observe import Calibration
from myqasr_fx.measure.ranking import forced_clips
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.progress import Silent
from myqasr_fx.verify.fake_quant import runnable_in_torch
from passes.graph import meta
from passes.graph.layers import nodes_of
from passes.graph.ops import LayerKind
from passes.observe.few_frames import ENOUGH
from passes.observe.gram_observer import Patches
from passes.observe.paired_moments import PairedMoments


def heard(
    prepared: Prepared, noise: list[np.ndarray], clips: int, *, sequential: bool = True
) -> tuple[QuantizeConfig, Calibration]:
    """What some clips tell, for gptq at 3 bits."""
    config = resolve_config(uniform_bits=3, rounding="gptq", granularity="group:32", sequential=sequential, holdout=0.0)
    return config, measure(prepared, select_clips(noise, clips), config, Silent())


@pytest.mark.parametrize("name", ["whisper", "smallest"])
def test_outputs_come_nearer_to_full_precision(
    name: str,
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    noise: list[np.ndarray],
) -> None:
    divergence = {}
    for sequential in (False, True):
        prepared = captured_once(make_speech_model(name))
        config, calibration = heard(prepared, noise, 4, sequential=sequential)
        program = fit_in_torch(prepared, calibration, config)
        assert all(
            meta.get(next(nodes_of(program, layer))[1], meta.QUANTIZED_WEIGHT) is not None
            for layer in prepared.layers
            if layer.weight is not None
        )
        full, total = ForcedRun(prepared), 0.0
        rounded = ForcedRun(replace(prepared, program=runnable_in_torch(program)))
        with torch.no_grad():
            for clip in forced_clips(prepared.speech, calibration):
                exact, found = (run.logits(clip, run.start(clip)) for run in (full, rounded))
                total += float((exact - found).square().sum())
        divergence[sequential] = total
    assert divergence[True] < divergence[False]


def test_layers_that_read_one_value_share_its_moments(
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    noise: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = captured_once(make_speech_model("whisper"))
    config, calibration = heard(prepared, noise, 2)
    read: list[tuple[fx.Node, object]] = []
    found = _Sequence._moments

    def counted(self: _Sequence, cols: int, source: fx.Node, patches: Patches | None, cut: Cut) -> PairedMoments:
        read.append((source, patches))
        return found(self, cols, source, patches, cut)

    monkeypatch.setattr(_Sequence, "_moments", counted)
    fit_in_torch(prepared, calibration, config)
    readers = [layer for layer in prepared.layers if layer.weight is not None and layer.kind != LayerKind.EMBEDDING]
    assert len(set(read)) == len(read) < len(readers) - 2 * 2 * 2  # query, key and value of two layers of each graph


@pytest.mark.parametrize(("enough", "first", "last"), [(0.01, 1, 1), (0.3, 1, 4), (ENOUGH, 4, 4)])
def test_other_clips_set_out_where_frames_are_few(
    enough: float,
    first: int,
    last: int,
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    noise: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = captured_once(make_speech_model("whisper"))
    config, calibration = heard(prepared, noise, 4)
    waiting: list[int] = []
    found = _Sequence._moments

    def counted(self: _Sequence, cols: int, source: fx.Node, patches: Patches | None, cut: Cut) -> PairedMoments:
        total = found(self, cols, source, patches, cut)
        assert total.frames >= enough * cols or not self.later
        waiting.append(len(self.later))
        return total

    monkeypatch.setattr(sequence, "FIRST_CLIPS", 1)
    monkeypatch.setattr(sequence, "ENOUGH", enough)
    monkeypatch.setattr(_Sequence, "_moments", counted)
    fit_in_torch(prepared, calibration, config)
    assert (waiting[0], waiting[-1]) == (4 - first, 4 - last)
