"""Energies: a weight for every frame that a layer reads, of mean 1, for the clips asked for, and kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from myqasr_fx.measure.curvature import measure_curvature
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measure import measure
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.process.progress import Silent

Heard = Callable[..., tuple[MeasureJob, Measurements]]


@pytest.mark.parametrize("name", ["whisper", "wav2vec2"])
def test_frames_have_energies_of_mean_one(heard: Heard, name: str) -> None:
    job, measurements = heard(name, samples=8000)
    (clip, *_) = measurements.observed.forced(job.prepared.speech)
    none, energies = measure_curvature(job.run, {7: clip}, ((), (7,)), (0, Silent()))
    whole, again = measure_curvature(job.run, {7: clip}, ((7,), (7,)), (0, Silent()))
    assert not none and whole and set(energies) == set(again) and {at for at, _ in energies} == {7}
    assert not measure_curvature(job.run, {7: clip}, ((7,), ()), (0, Silent()))[1]
    assert all(torch.equal(energies[key], again[key]) for key in energies)
    for (_, key), energy in energies.items():
        assert key.partition("/")[0] in job.prepared.program.graphs
        assert bool((energy >= 0).all()) and float(energy.mean()) == pytest.approx(1.0, abs=1e-5)
    read = {key.partition("/")[2] for _, key in energies}
    nodes = {node.name for _, _, node in job.prepared.program.nodes()}
    assert read <= nodes and len(read) > 4


def test_they_are_measured_for_rounding_in_sequence_and_kept(heard: Heard, tmp_path: Path) -> None:
    job, first = heard("smallest", budget="60KB", recipe="best", cache=tmp_path)
    assert {at for at, _ in first.energies} == set(job.shares.sequence)
    again = heard("smallest", budget="50KB", recipe="best", cache=tmp_path)[1]
    assert first.energies.keys() == again.energies.keys()
    assert all(torch.equal(energy, again.energies[key]) for key, energy in first.energies.items())
    (kept,) = tmp_path.glob("energies-*")
    kept.write_bytes(kept.read_bytes()[:-1])
    anew = measure(job)
    assert all(torch.equal(energy, anew.energies[key]) for key, energy in first.energies.items())


def test_they_are_not_measured_for_rounding_all_layers_at_once(heard: Heard) -> None:
    found = heard("smallest", budget="60KB", recipe="fast")[1]
    assert found.curvatures and not found.energies
