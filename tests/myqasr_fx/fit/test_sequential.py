"""round_in_sequence: rounding each layer on what it really reads brings the model nearer to full precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, fx

from myqasr_fx.fit import sequential as module
from myqasr_fx.fit.fit import rounded
from myqasr_fx.fit.job import FitJob
from myqasr_fx.fit.sequential import _Sequence
from myqasr_fx.measure.forced_run import Cut, ForcedRun
from myqasr_fx.process.limits import Limits
from myqasr_fx.verify.fake_quant import runnable_in_torch
from passes.damage.curvature import Curvature
from passes.damage.expected import row_importance
from passes.graph import meta
from passes.graph.layers import nodes_of
from passes.graph.ops import LayerKind
from passes.numbers.quantized_weight import QuantizedWeight
from passes.numbers.scheme import LayerScheme
from passes.observe.gram_observer import Patches
from passes.observe.paired_moments import PairedMoments
from passes.rounding import round_weights
from passes.rounding.round_weights import round_weight
from passes.rounding.trellis_table import gaussian_table

ENOUGH = Limits().enough_frames
GPTQ = {"uniform_bits": 3, "rounding": "gptq", "granularity": "group:32"}


@pytest.mark.parametrize("name", ["whisper", "smallest"])
def test_outputs_come_nearer_to_full_precision(name: str, fit_job: Callable[..., FitJob]) -> None:
    divergence = {}
    for sequential in (False, True):
        job = fit_job(name, **GPTQ, sequential=sequential)
        prepared, (program, _) = job.prepared, rounded(job)
        assert all(
            meta.get(next(nodes_of(program, layer))[1], meta.QUANTIZED_WEIGHT) is not None
            for layer in prepared.layers
            if layer.weight is not None
        )
        full, total = ForcedRun(prepared), 0.0
        quantized = ForcedRun(replace(prepared, program=runnable_in_torch(program)))
        with torch.no_grad():
            for clip in job.measurements.observed.forced(prepared.speech):
                exact, found = (run.logits(clip, run.start(clip)) for run in (full, quantized))
                total += float((exact - found).square().sum())
        divergence[sequential] = total
    assert divergence[True] < divergence[False]


def test_layers_that_read_one_value_share_its_moments(
    fit_job: Callable[..., FitJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = fit_job("whisper", **GPTQ, sequential=True)
    read: list[tuple[fx.Node, object]] = []
    found = _Sequence._moments

    def counted(
        self: _Sequence, total: PairedMoments, source: fx.Node, patches: Patches | None, cut: Cut
    ) -> PairedMoments:
        read.append((source, patches))
        return found(self, total, source, patches, cut)

    monkeypatch.setattr(_Sequence, "_moments", counted)
    rounded(job)
    readers = [each for each in job.prepared.layers if each.weight is not None and each.kind != LayerKind.EMBEDDING]
    assert len(set(read)) == len(read) < len(readers) - 2 * 2 * 2  # query, key and value of two layers of each graph


@pytest.mark.parametrize("name", ["whisper", "smallest"])
def test_every_frame_that_a_layer_reads_is_weighed(
    name: str, fit_job: Callable[..., FitJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Energies are measured on other copies of the graphs, before leftovers are rounded: names have to meet."""
    job = fit_job(name, budget="300KB" if name == "whisper" else "60KB", recipe="best")
    seen: list[bool] = []
    found = module._weights

    def watched(exact: Tensor, energy: Tensor | None) -> Tensor:
        weights = found(exact, energy)
        seen.append(energy is not None)
        assert energy is None or energy.shape == exact.shape[:-1] == weights.shape
        return weights

    monkeypatch.setattr(module, "_weights", watched)
    rounded(job)
    assert len(seen) > 10 and all(seen)


def test_frames_that_matter_more_count_more(fit_job: Callable[..., FitJob]) -> None:
    exact = torch.randn(1, 12, 5, generator=torch.Generator().manual_seed(0))
    plain, energy = module._weights(exact, None), torch.zeros(1, 12)
    energy[0, 3] = 12.0
    weighed = module._weights(exact, energy)
    assert torch.equal(weighed, (plain + energy) / 2) and int(weighed.argmax()) == 3


@pytest.mark.parametrize(("enough", "first", "last"), [(0.01, 1, 1), (0.3, 1, 4), (ENOUGH, 4, 4)])
def test_other_clips_set_out_where_frames_are_few(
    enough: float, first: int, last: int, fit_job: Callable[..., FitJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = fit_job("whisper", **GPTQ, sequential=True)
    shares = replace(job.shares, first=job.shares.sequence[:1])
    waiting: list[int] = []
    found = _Sequence._moments

    def counted(
        self: _Sequence, total: PairedMoments, source: fx.Node, patches: Patches | None, cut: Cut
    ) -> PairedMoments:
        found(self, total, source, patches, cut)
        assert total.frames >= enough * total.cols or not self.later
        waiting.append(len(self.later))
        return total

    monkeypatch.setattr(_Sequence, "_moments", counted)
    rounded(replace(job, shares=shares, limits=Limits(enough_frames=enough)))
    assert (waiting[0], waiting[-1]) == (4 - first, 4 - last)


def test_only_clips_of_the_sequence_are_read(fit_job: Callable[..., FitJob], monkeypatch: pytest.MonkeyPatch) -> None:
    job = fit_job("smallest", **GPTQ, sequential=True)
    seen: list[int] = []
    found = _Sequence._take

    def counted(self: _Sequence, clips: object, cut: Cut) -> None:
        seen.append(len(self.clips) + len(self.later))
        found(self, clips, cut)  # type: ignore[arg-type]

    monkeypatch.setattr(_Sequence, "_take", counted)
    rounded(replace(job, shares=replace(job.shares, sequence=(1, 3), first=(1,))))
    assert set(seen) == {2}


@pytest.mark.parametrize("sequential", [False, True])
def test_rows_are_weighed_by_what_their_errors_cost(
    sequential: bool, fit_job: Callable[..., FitJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, seen = fit_job("whisper", **GPTQ, sequential=sequential), {}
    of = job.prepared.layers
    curvatures = {x.name: Curvature(torch.eye(x.cols), torch.rand(x.rows)) for x in of if x.weight is not None}
    job = replace(job, measurements=replace(job.measurements, curvatures=curvatures))

    def kept(weight: Tensor, scheme: LayerScheme, *how: Any) -> QuantizedWeight:
        seen[scheme.layer] = how[-1]
        return round_weight(weight, scheme, *how)

    monkeypatch.setattr(round_weights if not sequential else module, "round_weight", kept)
    monkeypatch.setattr("myqasr_fx.fit.fit.trellis_tables", lambda *_: {2: gaussian_table()})
    rounded(job)
    assert seen.keys() == curvatures.keys()
    for name, curvature in curvatures.items():
        torch.testing.assert_close(seen[name], row_importance(curvature))
