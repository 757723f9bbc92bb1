"""The notebooks run from top to bottom, in a folder whose model and recordings are small and random."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
RUNS = [
    ("your_voice", 'budget="24MB"', 'budget="24MB", recipe="paper-file"', r"4 recordings, 4 s in all"),
    ("your_model", '"20kB"', '"20kB"', r"1\d,\d{3} bytes, relative error"),
]
"""Name, what is said in it and what is said instead, to take seconds, and what it prints."""


def cells(notebook: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs_and_its_links_hold(notebook: Path) -> None:
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells(notebook, "code"))
    text = "".join("".join(cell["source"]) for cell in cells(notebook, "markdown"))
    assert text.startswith("# ")
    targets = re.findall(r"\]\(([^)#\s]+)", text)
    assert targets and all((notebook.parent / target).exists() for target in targets)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "usual", "reduced", "said"), RUNS)
def test_a_notebook_runs(
    name: str, usual: str, reduced: str, said: str, reader: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code = ["".join(cell["source"]) for cell in cells(ROOT / f"docs/notebooks/{name}.ipynb", "code")]
    assert any(usual in text for text in code)
    names: dict[str, object] = {}
    for number, text in enumerate(code, 1):
        exec(compile(text.replace(usual, reduced), f"{name}, code cell {number}", "exec"), names)
    assert re.search(said, capsys.readouterr().out)


def test_every_notebook_is_run() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(name for name, *_ in RUNS)
