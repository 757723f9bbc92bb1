"""What rounding layers alone costs: which layers, how, on which clips, and kept for the next budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from myqasr_fx.measure import corrections, curvature
from myqasr_fx.measure.clip_shares import ClipShares
from myqasr_fx.measure.corrections import CORRECTION, measure_corrections
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measure import measure
from myqasr_fx.measure.measurements import Measurements
from passes.needs import LayerAlone

Heard = Callable[..., tuple[MeasureJob, Measurements]]
BEST = {"budget": "60KB", "recipe": "best"}


def unreachable(*_: object, **__: object) -> None:
    raise AssertionError("measured twice")


def test_what_was_measured_is_kept_for_the_next_budget(
    heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, first = heard("smallest", **BEST, cache=tmp_path)
    assert first.grams and first.curvatures and first.corrections
    monkeypatch.setattr(curvature, "measure_curvature", unreachable)
    monkeypatch.setattr(corrections, "probe_damage", unreachable)
    again = heard("smallest", "50KB", recipe="best", cache=tmp_path)[1]
    assert again.corrections == first.corrections
    assert again.grams.keys() == first.grams.keys()
    (kept,) = tmp_path.glob("curvature-*")
    whole = kept.read_bytes()
    for damaged in (whole[:100], whole[:-1] + bytes([whole[-1] ^ 1])):
        kept.write_bytes(damaged)
        with pytest.raises(AssertionError, match="measured twice"):
            measure(job)


def test_large_layers_run_alone_and_the_others_are_probed(heard: Heard) -> None:
    job, measurements = heard("smallest", **BEST)
    roles: dict[str, set[object]] = {}
    for name, role in measurements.corrections:
        roles.setdefault(name, set()).add(role)
    weighted = {layer.name: layer.num_weights for layer in job.prepared.layers if layer.weight is not None}
    assert set(roles) == set(weighted)
    large = {name for name, count in weighted.items() if count > corrections.LARGE_LAYER * sum(weighted.values())}
    both = {LayerAlone("kl", 3), LayerAlone("kl", 2)}
    assert 0 < len(large) < len(weighted)
    for name, found in roles.items():
        assert found == (both if name in large else {CORRECTION}), name
        clips = job.shares.correct if name in large else job.shares.probe
        assert measurements.corrections[name, CORRECTION].count == len(clips)
        assert measurements.corrections[name, CORRECTION].mean > 0


def test_only_the_clips_for_it_are_read(heard: Heard) -> None:
    """Other positions are other divergences, though clips and layers are the same."""
    job, measurements = heard("smallest", **BEST)
    shares = replace(job.shares, correct=(0, 1), probe=(0, 1, 2))
    found = measure_corrections(replace(job, shares=shares), measurements.observed, measurements.grams)
    assert found.keys() == measurements.corrections.keys()
    assert {stats.count for stats in found.values()} == {2, 3}
    assert not set(found.values()) & set(measurements.corrections.values())


def test_another_seed_is_measured_anew(heard: Heard, tmp_path: Path) -> None:
    options = dict(BEST, holdout=0.0)  # so that the clips are the same
    alone = heard("smallest", **options, seed=1)[1]
    heard("smallest", **options, seed=0, cache=tmp_path)
    assert heard("smallest", **options, seed=1, cache=tmp_path)[1].corrections == alone.corrections


@pytest.mark.parametrize("share", ["curvature", "correct", "probe"])
def test_other_clips_are_measured_anew(heard: Heard, tmp_path: Path, share: str) -> None:
    job, measurements = heard("smallest", **BEST, cache=tmp_path)
    used = getattr(job.shares, share)
    others = replace(job.shares, **{share: tuple(set(range(len(job.shares.observe.clips))) - set(used))[:1]})

    def kept(shares: ClipShares) -> int:
        before = {path.name for path in tmp_path.iterdir()}
        measure_corrections(replace(job, shares=shares), measurements.observed, measurements.grams)
        return len({path.name for path in tmp_path.iterdir()} - before)

    assert kept(job.shares) == 0
    assert kept(others) > 0
