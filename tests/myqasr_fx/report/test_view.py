from dataclasses import replace

import pytest

from myqasr_fx.bundle import BundleManifest
from myqasr_fx.report.record import ReportDetails
from myqasr_fx.report.view import bounds, layer_views, segments


def test_the_bar_adds_up_to_the_budget(manifest: BundleManifest) -> None:
    parts = segments(manifest)
    assert [(part.name, part.bytes) for part in parts] == [
        ("codes", 75_000),
        ("scales", 5_000),
        ("graph", 10_000),
        ("unused", 10_000),
    ]
    assert sum(part.percent for part in parts) == pytest.approx(100)
    without = segments(replace(manifest, budget_bytes=None))
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


def test_bounds_repeat_the_verdict(manifest: BundleManifest) -> None:
    rows = bounds(manifest)
    assert [row.holds for row in rows] == [False, True, True, True, True, True]
    assert (rows[0].name, rows[0].value, rows[0].bound) == ("token agreement", "95.00%", "≥ 96.00%")
    assert bounds(replace(manifest, acceptance=None)) == ()
