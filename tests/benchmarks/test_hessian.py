"""The table of Hessian scales is that of the committed rows."""

from __future__ import annotations

from pathlib import Path

from hessian import HessianRow, table
from rows_file import read_rows

ROOT = Path(__file__).parents[2] / "benchmarks"


def test_the_committed_table_is_that_of_the_rows() -> None:
    rows = read_rows(HessianRow, ROOT / "results" / "hessian_whisper-base.csv")
    text = (ROOT / "paper" / "README.md").read_text(encoding="utf-8")
    assert f"<!-- table hessian -->\n{table(rows)}\n<!-- end -->" in text
    assert {row.draw for row in rows} == {0, 1, 2} and len(rows) == 3 * 8 * 6


def test_a_table_compares_recordings_that_both_have() -> None:
    def row(calibration: str, audio: str, nats: float) -> HessianRow:
        return HessianRow(calibration, 5, 256, 0, audio, 10, nats, 9)

    rows = [row("hessian", name, 20.0) for name in "ab"] + [row("cosine", name, 10.0) for name in "ab"]
    assert table(rows).splitlines()[2:] == [
        "| `hessian` | 5 | 2.000 | 2.000 |  |",
        "| `cosine` | 5 | 1.000 | 1.000 | -1.000 [-1.000, -1.000] |",
    ]
