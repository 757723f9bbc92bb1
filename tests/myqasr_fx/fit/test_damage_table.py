"""damage_table: a price for every choice, corrected by what layers alone were measured to cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from myqasr_fx.fit.damage_table import _of_items, damage_table
from myqasr_fx.fit.job import FitJob, priced
from myqasr_fx.measure.store import Keys, Store
from passes.allocation.size_rule import Item
from passes.damage.word_ranks import smooth_by_rank
from passes.graph.layers import Layer, Use
from passes.graph.ops import LayerKind
from passes.numbers.scheme import TRELLIS_STEPS, Granularity, NumberFormat, weight_spec

GROUP = Granularity("group", 64)
KEYS = Keys("fingerprint", None, "hf")
FORMATS: tuple[NumberFormat, ...] = ("affine", "trellis")


@pytest.fixture
def job(fit_job: Callable[..., FitJob]) -> FitJob:
    return fit_job("smallest", "60KB", recipe="best", min_bits=1)


def test_wider_is_no_worse_and_floats_cost_nothing(job: FitJob) -> None:
    for item in {name for name, _ in job.damages}:
        for form, widest in zip(FORMATS, (8, 6), strict=True):
            specs = [weight_spec(bits, GROUP, False, form) for bits in (32, 16, *range(widest, 0, -1))]
            nats = [job.damages[item, spec] for spec in specs]
            assert nats[:2] == [0, 0] and nats == sorted(nats)


def test_every_choice_of_every_item_has_a_price(job: FitJob) -> None:
    items = {name for name, _ in job.damages}
    groups = {Granularity("group", size) for size in (32, 64, 128)}
    affine = {weight_spec(bits, group, False) for bits in (32, 16, *range(1, 9)) for group in groups}
    strings = {weight_spec(bits, group, False, "trellis", more) for bits, more in TRELLIS_STEPS for group in groups}
    specs = affine | strings
    assert len(specs) == 2 + 3 * (8 + 18)
    assert set(job.damages) == {(item, spec) for item in items for spec in specs}


def test_widths_that_nothing_may_take_have_no_price(job: FitJob) -> None:
    """Those below the narrowest, but for a layer that a rule puts there."""
    name, narrowest = "lm_head", replace(job.request.allocation, min_bits=3)
    layers = {**job.request.layers, name: replace(job.request.layers[name], fixed_bits=1)}
    table = damage_table(job.prepared, replace(job.request, layers=layers, allocation=narrowest), job.measurements)
    assert table == {key: nats for key, nats in job.damages.items() if key[0].startswith(name) or key[1].bits >= 3}


def test_prices_follow_what_was_measured(job: FitJob) -> None:
    """Twice the measured nats, twice the price of what was measured."""
    seen = job.measurements.corrections
    doubled = {key: replace(stats, mean=2 * stats.mean) for key, stats in seen.items()}
    more = damage_table(job.prepared, job.request, replace(job.measurements, corrections=doubled))
    assert more.keys() == job.damages.keys()
    dearer = [(key, more[key] / nats) for key, nats in job.damages.items() if nats > 0]
    assert dearer
    assert all(1 <= ratio <= 2 + 1e-6 for _, ratio in dearer)
    assert any(ratio == pytest.approx(2) for _, ratio in dearer)


def test_a_layer_that_the_logits_do_not_need_costs_nothing(job: FitJob) -> None:
    name = "lm_head"
    others = {layer: found for layer, found in job.measurements.curvatures.items() if layer != name}
    table = damage_table(job.prepared, job.request, replace(job.measurements, curvatures=others))
    own = {key: nats for key, nats in table.items() if key[0].startswith(name)}
    assert own and not any(own.values())
    assert {key: nats for key, nats in table.items() if key not in own} == {
        key: nats for key, nats in job.damages.items() if key not in own
    }


def test_blocks_of_what_is_looked_up_are_smoothed_by_rank() -> None:
    rows = torch.exp(torch.randn(160, generator=torch.Generator().manual_seed(0)))
    items = [Item(f"words[{start}]", "words", start, 16, 8) for start in range(0, 160, 16)]
    sums = rows.view(10, 16).sum(1)
    kinds = {LayerKind.LINEAR: sums, LayerKind.EMBEDDING: smooth_by_rank(sums, [(i.start, i.rows) for i in items])}
    assert not torch.allclose(*kinds.values())
    for kind, expected in kinds.items():
        layer = Layer("words", kind, "words.weight", (160, 8), (Use("model", "words", kind),))
        assert _of_items(rows, layer, items) == pytest.approx(expected.tolist())


def test_a_kept_table_is_read_again(job: FitJob, tmp_path: Path) -> None:
    """Number by number; other choices and other measurements have a table of their own."""
    kept = replace(job, store=Store(tmp_path, KEYS))
    assert priced(kept).damages == job.damages
    assert len(list(tmp_path.iterdir())) == 1
    nothing = replace(kept, measurements=replace(job.measurements, curvatures={}))
    assert priced(nothing).damages == job.damages  # no curvature was looked at
    for other in (
        replace(kept, request=replace(job.request, symmetric=True)),
        replace(kept, request=replace(job.request, allocation=replace(job.request.allocation, min_bits=2))),
        replace(kept, seed=1),
        replace(kept, measurements=replace(job.measurements, corrections={})),
    ):
        before = len(list(tmp_path.iterdir()))
        priced(other)
        assert len(list(tmp_path.iterdir())) == before + 1
