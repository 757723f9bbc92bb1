"""Each step is compared with the one above it, recording by recording; only tables of levels are replaced."""

from pathlib import Path

import numpy as np
from rows_file import read_rows, write_rows
from trellis_ablation import GaussianTables, Row, table

from myqasr_fx.measure.store import Keys
from passes.rounding.trellis_table import gaussian_table

ROWS = [Row(step, "16MB", 100, clip, nats, 9, 10) for step, nats in (("a", 2.0), ("b", 1.5)) for clip in range(4)]


def test_changes_to_the_step_above() -> None:
    lines = table(ROWS).splitlines()
    assert lines[2] == "| a | 100 | 0.2000 |  | 90.0% |"
    assert lines[3] == "| b | 100 | 0.1500 | -0.0500 [-0.0500, -0.0500] | 90.0% |"


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert read_rows(Row, tmp_path / "rows.csv") == []
    write_rows(Row, tmp_path / "rows.csv", ROWS)
    assert read_rows(Row, tmp_path / "rows.csv") == ROWS


def test_levels_stay_where_a_fit_starts(tmp_path: Path) -> None:
    keys = Keys("fingerprint", None, "hf")
    store = GaussianTables(tmp_path, keys)
    assert np.array_equal(store.get(keys.levels(2), lambda: np.zeros(4096, np.uint8)), gaussian_table())
    assert store.get(keys.transcripts([]), lambda: ()) == ()
    assert [path.name.partition("-")[0] for path in tmp_path.iterdir()] == ["transcripts"]
