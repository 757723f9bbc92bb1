"""The table of the ablation survives a run that adds rows to it."""

from pathlib import Path

from ablation import FULL, Row, read_rows, write_rows


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [
        Row(FULL, "20MB", 151, 0.0, 1.0, 492, 0.12174, 300),
        Row("sequential, biases corrected", "20MB", 20, 0.02692, 0.9695, 492, 0.13, 300),
    ]
    write_rows(path := tmp_path / "table.csv", rows)
    assert read_rows(path) == rows


def test_no_earlier_run(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "none.csv") == []
