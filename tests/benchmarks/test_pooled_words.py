"""Losses are pooled over the test sets alone, in pairs; development speech gives nats."""

from pathlib import Path

from pooled_words import Row, table
from rows_file import read_rows, write_rows


def row(system: str, dataset: str, index: int, errors: int, nats: float) -> Row:
    return Row(system, "00", 100, dataset, f"{index}.flac", errors, 10, nats, 9, 10)


ROWS = [
    row(system, dataset, index, errors, nats)
    for system, errors, nats in (("full precision", 1, 0.0), ("small", 2, 0.5))
    for dataset in ("librispeech_test_other", "asterisk_core_en", "speechocean762")
    for index in range(3)
]


def test_losses_and_nats() -> None:
    lines = table(ROWS).splitlines()
    assert lines[0] == (
        "| system | bytes | librispeech_test_other, points | asterisk_core_en, points | pooled, points | dev, nats |"
    )
    assert lines[2] == "| full precision | 100 | 10.00 % of 30 | 10.00 % of 30 | 10.00 % of 60 | 0.0000 |"
    loss = "+10.00 [+10.00, +10.00]"
    assert lines[3] == f"| small | 100 | {loss} | {loss} | {loss} | 0.0500 |"


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert read_rows(Row, tmp_path / "rows.csv") == []
    write_rows(Row, tmp_path / "rows.csv", ROWS)
    assert read_rows(Row, tmp_path / "rows.csv") == ROWS
