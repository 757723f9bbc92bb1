from dataclasses import replace

import pytest

from myqasr_fx.bundle.bundle import BundleManifest, DamageRecord
from myqasr_fx.report.record import ReportDetails
from myqasr_fx.report.view import bounds, costly, damages, layer_views, segments


def test_the_bar_adds_up_to_the_budget(manifest: BundleManifest) -> None:
    parts = segments(manifest)
    assert [(part.name, part.bytes) for part in parts] == [
        ("codes", 75_000),
        ("scales", 5_000),
        ("graph", 10_000),
        ("unused", 10_000),
    ]
    assert sum(part.percent for part in parts) == pytest.approx(100)
    weights_alone = {**manifest.config, "budget": {**manifest.config["budget"], "kind": "paper"}}
    for changed in ({"budget_bytes": None}, {"config": weights_alone}):
        without = segments(replace(manifest, **changed))
        assert [part.name for part in without] == ["codes", "scales", "graph"]
        assert sum(part.percent for part in without) == pytest.approx(100, abs=0.01)


def test_layers_keep_their_order_and_have_a_rank(manifest: BundleManifest, details: ReportDetails) -> None:
    views = layer_views(manifest, details.layers)
    assert [view.name for view in views] == [layer.name for layer in manifest.layers]
    assert sorted(view.rank for view in views) == list(range(1, 19))
    product, kept = views[16], views[17]
    assert (product.rank, product.share, product.bits, product.color, product.widths) == (1, 100.0, None, "f", "-")
    assert (kept.color, kept.widths, kept.height, kept.detail) == ("f", "16 bits", 100.0, None)
    assert (views[0].widths, views[0].height) == ("64 rows at 5 bits, 64 rows at 4 bits", 56.25)
    assert views[0].group == "model.encoder"


def test_a_layer_that_took_more_damping_says_so(manifest: BundleManifest, details: ReportDetails) -> None:
    name = manifest.layers[0].name
    found = {**details.layers, name: replace(details.layers[name], damping=0.5)}
    usual, more = (layer_views(manifest, layers)[0].rounding for layers in (details.layers, found))
    assert more == f"{usual}, damping 0.5"


def test_bounds_repeat_the_verdict(manifest: BundleManifest) -> None:
    rows = bounds(manifest)
    assert [row.state for row in rows] == ["fails", "undecided", "holds", "undecided", "holds", "holds"]
    first = rows[0]
    assert (first.name, first.value, first.interval) == ("token agreement", "85.00%", "78.00% to 89.00%")
    assert (first.bound, rows[1].bound) == ("≥ 90.00%", "≤ 0.0700 nats")
    assert bounds(replace(manifest, acceptance=None)) == ()


def test_bounds_of_an_earlier_version_compare_the_figures_alone(manifest: BundleManifest) -> None:
    assert manifest.acceptance is not None
    rows = bounds(replace(manifest, acceptance=replace(manifest.acceptance, measures=())))
    assert [row.state for row in rows] == ["fails", *["holds"] * 5]
    assert {row.interval for row in rows} == {""}


def test_damage_is_shown_beside_what_was_measured(manifest: BundleManifest) -> None:
    assert damages(manifest) == ()
    layers = tuple(
        replace(layer, expected_damage=None if layer.bits is None else 0.001 * index)
        for index, layer in enumerate(manifest.layers)
    )
    expecting = replace(manifest, layers=layers, damage=DamageRecord(0.015, 0.01))
    bars = damages(expecting)
    assert [(bar.nats, bar.percent) for bar in bars] == [(0.01, 33.33), (0.015, 50.0), (0.03, 100.0)]
    assert len(damages(replace(expecting, acceptance=None))) == 2
    top = costly(layer_views(expecting, {}))
    assert (len(top), top[0].name, top[0].nats) == (8, "model.head", 0.017)
    assert costly(layer_views(manifest, {})) == ()
