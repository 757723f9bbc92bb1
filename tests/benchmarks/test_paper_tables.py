"""The committed tables are what the committed raw rows say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PAPER = Path(__file__).parents[2] / "benchmarks" / "paper"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=PAPER.parents[1], capture_output=True, text=True)


def test_the_readme_holds_the_tables_of_the_raw_rows() -> None:
    checked = run("benchmarks/paper/tables.py", "--check")
    assert checked.returncode == 0, checked.stderr


def test_another_number_is_noticed(tmp_path: Path) -> None:
    for name in ("tables.py", "experiments.py", "README.md"):
        (tmp_path / name).write_text((PAPER / name).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "results").symlink_to(PAPER / "results")
    readme = tmp_path / "README.md"
    text = readme.read_text(encoding="utf-8")
    assert run(str(tmp_path / "tables.py"), "--check").returncode == 0
    readme.write_text(text.replace("<!-- end -->", "| a | 1 |\n<!-- end -->", 1), encoding="utf-8")
    assert run(str(tmp_path / "tables.py"), "--check").returncode == 1


@pytest.mark.parametrize("name", ["gender", "gender-base", "language", "curve", "speaker", "speaker-whisper", "clips"])
def test_every_experiment_and_its_short_form_are_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PAPER))
    from experiments import chosen

    from myqasr_fx.personalize.condition import conditions

    for quick in (False, True):
        plan = chosen(name, quick)
        assert len(conditions(plan.recipes, plan.budgets, None)) == len(plan.recipes) * len(plan.budgets)
