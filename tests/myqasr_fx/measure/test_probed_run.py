"""run_probed: every use of every layer is seen once, with the gradient that autograd gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, fx

from myqasr_fx.measure.forced_run import ForcedRun
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.measure.probed_run import _Way, run_probed
from passes.damage.curvature import probe
from passes.graph.layers import Layer

Heard = Callable[..., tuple[MeasureJob, Measurements]]


@pytest.mark.parametrize("name", ["whisper", "wav2vec2"])
def test_every_use_is_seen_once(name: str, heard: Heard) -> None:
    job, measurements = heard(name, samples=8000)
    run, clip = job.run, measurements.observed.forced(job.prepared.speech)[0]
    seen: list[tuple[str, str]] = []

    def add(layer: Layer, node: fx.Node, args: tuple[Any, ...], gradient: Tensor) -> None:
        assert not any(arg.requires_grad for arg in args if isinstance(arg, Tensor)) and not torch.is_grad_enabled()
        assert layer.weight is not None and gradient.shape[0] == 1
        seen.append((layer.name, node.name))

    assert run_probed(run, clip, torch.Generator().manual_seed(0), add) == len(clip.targets)
    assert len(set(seen)) == len(seen)
    assert {layer for layer, _ in seen} == run.first_steps().keys() & {
        layer.name for layer in run.prepared.layers if layer.weight is not None
    }


def test_gradients_are_those_of_the_probed_logits(heard: Heard) -> None:
    """The projection to the logits, a tied embedding in Whisper, reads them directly."""
    job, measurements = heard("whisper", samples=8000)
    run, clip = job.run, measurements.observed.forced(job.prepared.speech)[0]
    gradients: list[Tensor] = []
    run_probed(run, clip, torch.Generator().manual_seed(0), lambda *seen: gradients.append(seen[-1]))
    with torch.no_grad():
        logits = run.logits(clip, run.start(clip))
    wanted = probe(logits, torch.Generator().manual_seed(0))
    torch.testing.assert_close(gradients[0][0, clip.first : clip.first + len(clip.targets)], wanted)


@pytest.mark.parametrize("name", ["whisper", "wav2vec2"])
@pytest.mark.parametrize("most_bytes", [0, 20_000, 10**9])
def test_a_way_in_stretches_gives_the_gradients_of_one_in_one_piece(
    name: str, most_bytes: int, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, measurements = heard(name, samples=8000)
    run, clip = job.run, measurements.observed.forced(job.prepared.speech)[0]

    def gradients(where: ForcedRun, bound: int) -> tuple[list[tuple[str, Tensor]], int]:
        found: list[tuple[str, Tensor]] = []
        ran: Counter[fx.Node] = Counter()

        def add(layer: Layer, node: fx.Node, args: tuple[Any, ...], gradient: Tensor) -> None:
            found.append((node.name, gradient.clone()))

        def counted(self: _Way, node: fx.Node, args: tuple[Any, ...], result: Any) -> None:
            ran[node] += 1
            original(self, node, args, result)

        original = _Way._counted
        with monkeypatch.context() as patched:
            patched.setattr(_Way, "_counted", counted)
            run_probed(where, clip, torch.Generator().manual_seed(0), add, bound)
        return found, max(ran.values())

    whole = ForcedRun(run.prepared)
    for graph in whole.runs:
        object.__setattr__(graph, "cuts", (0,))
    expected, _ = gradients(whole, 0 if len(whole.runs) == 1 else 10**9)
    found, most = gradients(run, most_bytes)
    assert [node for node, _ in found] == [node for node, _ in expected]
    for (_, one), (_, other) in zip(found, expected, strict=True):
        assert torch.equal(one, other) and one.stride() == other.stride()  # sums over them are the same, too
    assert most == (1 if most_bytes == 10**9 else 2)
