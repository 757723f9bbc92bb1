"""The committed tables are what the committed raw rows say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from myqasr_fx.personalize.ledger import Cell, Row, full_cell

PAPER = Path(__file__).parents[2] / "benchmarks" / "paper"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=PAPER.parents[1], capture_output=True, text=True)


def test_the_readme_holds_the_tables_of_the_raw_rows() -> None:
    checked = run("benchmarks/paper/tables.py", "--check")
    assert checked.returncode == 0, checked.stderr


def test_another_number_is_noticed(tmp_path: Path) -> None:
    for name in ("tables.py", "plots.py", "raw.py", "experiments.py", "layer_weights.py", "README.md"):
        (tmp_path / name).write_text((PAPER / name).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "results").symlink_to(PAPER / "results")
    readme = tmp_path / "README.md"
    text = readme.read_text(encoding="utf-8")
    block = text[text.index("<!-- tables speaker -->") :].partition("<!-- end -->")[0]
    for more, code in (("", 0), ("| a | 1 |\n", 1)):  # of one block: the test above makes them all
        readme.write_text(f"{block}{more}<!-- end -->", encoding="utf-8")
        checked = run(str(tmp_path / "tables.py"), "--check")
        assert (checked.returncode, "not what the raw rows say" in checked.stderr) == (code, bool(code))


def test_a_group_that_has_not_run_yet_leaves_no_figure_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PAPER))
    from tables import curve_table

    full = [Row(full_cell(group), "a.flac", 0, 4) for group in ("F", "M")]
    run_for = [("avg=6", "F", 1), ("avg=6", "M", 2), ("avg=5", "F", 3)]
    own = [Row(Cell("paper", budget, 4, 0, group, group), "a.flac", errors, 4) for budget, group, errors in run_for]
    table = curve_table([*full, *own])
    assert "| paper | F | 25.0 | 75.0 |" in table
    assert "| paper | M | 50.0 |  |" in table
    assert "| paper | all | 37.5 |  |" in table


def test_a_transcript_that_repeats_itself_is_cut_beside_the_whole_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PAPER))
    from tables import LIMITED, curve_tables

    full = Row(full_cell("F"), "a.flac", 0, 4, 5, 0.0, 5)
    loop = Row(Cell("paper", "avg=5", 4, 0, "F", "F"), "a.flac", 40, 4, 5, 2.5, 3)
    whole, cut, apart = curve_tables([full, loop]).split("\n\n|")[1:]
    assert "| paper | F | 1000.0 |" in whole
    assert LIMITED in whole
    assert "| paper | F | 100.0 |" in cut
    assert "| paper | F | 0.500 |" in apart
    assert LIMITED not in curve_tables([full])


def test_every_experiment_is_run_with_the_others_and_the_longest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PAPER))
    from all import LONG_FIRST
    from experiments import DIGITS, EXPERIMENTS

    assert {*LONG_FIRST, *DIGITS} == set(EXPERIMENTS)


@pytest.mark.parametrize(
    "name",
    [
        "gender",
        "gender-base",
        "gender-base-orders",
        "gender-matrix",
        "language",
        "language-divergence",
        "curve",
        "speaker",
        "speaker-whisper",
        "clips",
        "clips-whisper",
    ],
)
def test_every_experiment_and_its_short_form_are_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PAPER))
    from experiments import EXPERIMENTS, chosen

    from myqasr_fx.personalize.condition import conditions

    assert name in EXPERIMENTS
    for quick in (False, True):
        plan = chosen(name, quick)
        assert len(conditions(plan.recipes, plan.budgets, None)) == len(plan.recipes) * len(plan.budgets)
