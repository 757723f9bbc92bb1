"""measure: the union of what all methods need, each of it collected once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measure import measure, steps
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.options.needs import needs_of
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.progress import Progress
from passes.manager.dump import texts_of
from passes.needs import NOTHING, LayerAlone, Needs
from passes.observe.activation_stats import GRADIENT

Heard = Callable[..., tuple[MeasureJob, Measurements]]

UNION = {
    "observe activations",
    "observe gradients",
    "quantize single layers",
    "large layers at 3 bits",
    "large layers at 2 bits",
    "measure curvature",
    "round single layers",
    "probe rounded layers",
    "sample activations",
}


def test_the_union_of_all_needs_is_collected_once(heard: Heard, recorder: Callable[[], Progress]) -> None:
    job, plain = heard("smallest", clips=2, samples=8000)
    needs = Needs(roles=frozenset({GRADIENT, LayerAlone("kl", 4)}), rows=True)
    needs |= Needs(grams=True) | Needs(curvature=True) | Needs(row_gradients=True, rows=True)
    progress = recorder()
    found = measure(replace(job, request=replace(job.request, needs=needs), progress=progress))
    weighted = {layer.name for layer in job.prepared.layers if layer.weight is not None}
    assert found.observed.transcripts == plain.observed.transcripts
    assert found.statistics.items() > plain.statistics.items()
    assert {layer for layer, role in found.statistics if role == GRADIENT} == weighted
    assert {layer for layer, role in found.statistics if role == LayerAlone("kl", 4)} == weighted
    assert set(found.grams) <= weighted == set(found.curvatures)
    assert {layer for layer, _ in found.corrections} == weighted
    assert set(found.rows.layers) == {layer.name for layer in job.prepared.layers}
    assert all(sample.gradients for sample in found.rows.layers.values())
    assert progress.begun.keys() == UNION  # type: ignore[attr-defined]
    assert set(progress.begun.values()) == {1}  # type: ignore[attr-defined]


def test_what_nobody_needs_is_not_collected(heard: Heard, recorder: Callable[[], Progress]) -> None:
    job, _ = heard("smallest", clips=2, samples=8000)
    progress = recorder()
    found = measure(replace(job, progress=progress))
    assert job.request.needs == NOTHING
    assert progress.begun == {"observe activations": 1}  # type: ignore[attr-defined]
    assert (found.grams, found.curvatures, found.corrections, found.rows.layers) == ({}, {}, {}, {})


@pytest.mark.parametrize(
    ("options", "needs"),
    [
        ({}, NOTHING),
        ({"sensitivity": "fisher", "rounding": "gptq"}, Needs(frozenset({GRADIENT}), grams=True)),
        (
            {"sensitivity": "kl@3", "calibration": "hessian"},
            Needs(frozenset({LayerAlone("kl", 3)}), rows=True, row_gradients=True),
        ),
    ],
)
def test_options_that_name_methods_are_heard_for_what_these_need(
    options: dict[str, str], needs: Needs, heard: Heard
) -> None:
    assert needs_of(resolve_config(uniform_bits=4, recipe="paper-file", **options)) == needs
    job, found = heard("smallest", clips=2, samples=8000, **options)
    assert job.request.needs == needs
    assert {role for _, role in found.statistics} >= needs.roles
    assert bool(found.grams) is needs.grams
    assert bool(found.rows.layers) is needs.rows


def test_graphs_and_weights_stay_as_they_were(heard: Heard) -> None:
    job, _ = heard("smallest", clips=2, samples=8000)
    texts = texts_of(job.prepared.program)
    graphs = job.prepared.program.graphs.values()
    weights = {name: tensor.clone() for module in graphs for name, tensor in module.state_dict().items()}
    needs = Needs(frozenset({GRADIENT, LayerAlone("kl", 4)}), grams=True, curvature=True, rows=True, row_gradients=True)
    measure(replace(job, request=replace(job.request, needs=needs)))
    assert texts_of(job.prepared.program) == texts
    for module in graphs:
        assert all(torch.equal(weights[name], tensor) for name, tensor in module.state_dict().items())


def test_steps_say_what_is_collected_of_which_clips() -> None:
    assert [name for name, _, _ in steps(NOTHING)] == ["observe"]
    everything = Needs(frozenset({GRADIENT, LayerAlone("kl", 4)}), True, True, True, True)
    told = {name: (what, share) for name, what, share in steps(everything)}
    assert told["observe"] == ("inputs and outputs of every layer and Gram matrices", "observe")
    assert told["measure curvature"][1] == "curvature" and "weigh frames" not in told
    assert ("weigh frames", "sequence") in [
        (name, share) for name, _, share in steps(Needs(curvature=True, energies=True))
    ]
    assert told["round large layers alone"][1] == "correct"
    assert told["probe rounded layers"][1] == "probe"
    assert "gradients" in told["read rows"][0]
    assert [what for name, what, _ in steps(everything) if name == "measure role"] == [GRADIENT, "kl@4"]


def test_clips_are_forced_at_the_positions_asked_for(heard: Heard) -> None:
    job, found = heard("smallest", clips=2, samples=8000)
    first, second = found.observed.forced(job.prepared.speech)
    (chosen,) = found.observed.forced(job.prepared.speech, (1,))
    assert torch.equal(chosen.inputs["model"][0], second.inputs["model"][0])
    assert not torch.equal(first.inputs["model"][0], second.inputs["model"][0])
    assert [clip.sha256 for clip, _ in found.observed.pairs()] == [clip.sha256 for clip in job.shares.observe.clips]
