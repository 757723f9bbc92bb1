"""The texts that ``quantize`` ends with, and the verdict in words that need no explanation."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.bundle.comparison import ClipComparison, WordEdits
from myqasr_fx.bundle.measure_record import AGREEMENT, FAILS, OPEN, MeasureRecord
from myqasr_fx.cli.heard_view import heard_view
from myqasr_fx.cli.views import in_short
from myqasr_fx.report.record import ReportDetails


def clip(name: str, got: str, changes: int) -> ClipComparison:
    return ClipComparison(name, 2.0, "come to the house", got, 5, 5, 0.0, WordEdits(4, changes, 0, 0), False, False)


def said(folder: Path) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(heard_view(folder))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_clips_that_changed_most_are_shown(tmp_path: Path) -> None:
    clips = clip("a", "come to the house", 0), clip("b", "came to the house", 1), clip("c", "came two the horse", 3)
    ReportDetails({}, (*clips, clip("d", "come to a horse", 2))).write(tmp_path)
    lines = [line.strip() for line in said(tmp_path).splitlines()]
    assert [line for line in lines if len(line) == 1] == ["c", "d"]
    assert "full precision  come to the house" in lines and "this bundle     came two the horse" in lines


def test_where_nothing_changed_one_text_is_shown(tmp_path: Path) -> None:
    ReportDetails({}, (clip("a", "come to the house", 0), clip("b", "come to the house", 0))).write(tmp_path)
    assert [line.strip() for line in said(tmp_path).splitlines()] == ["a", "both write  come to the house"]


def test_a_bundle_without_texts_shows_none(tmp_path: Path) -> None:
    assert said(tmp_path).strip() == ""
    ReportDetails({}, None).write(tmp_path)
    assert said(tmp_path).strip() == ""


@pytest.mark.parametrize(
    ("verdict", "value", "begins"),
    [
        ("accepted", 1.0, "use it: it writes 3 of 100 words otherwise"),
        ("rejected", 0.5, "do not use it as it is"),
        ("uncertain", 1.0, "nothing speaks against it, but so little speech proves nothing"),
        ("uncertain", 0.8, "it may be worse than full precision"),
    ],
)
def test_a_verdict_in_short(manifest: BundleManifest, verdict: str, value: float, begins: str) -> None:
    assert manifest.acceptance is not None
    measure = MeasureRecord(AGREEMENT, value, 0.5, 1.0, 0.9, OPEN if verdict != "rejected" else FAILS)
    rates = {"words": 100, "substitutions": 0.02, "deletions": 0.01, "insertions": 0.0}
    record = replace(manifest.acceptance, verdict=verdict, measures=(measure,), **rates)
    assert in_short(record).startswith(begins)
