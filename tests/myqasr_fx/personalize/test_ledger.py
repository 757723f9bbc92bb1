from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from myqasr_fx.errors import EvaluationError
from myqasr_fx.personalize.ledger import Ledger, read_rows


def test_rows_come_back_and_unfinished_cells_go(tmp_path: Path, rows) -> None:
    ledger = Ledger(tmp_path / "out" / "utterances.csv")
    assert ledger.resume({"a": 2}) == frozenset()
    whole, half = rows("a", {"a": [0, 3]}), rows("b", {"a": [1, 1]})
    ledger.append(whole)
    ledger.append(half[:1])
    assert read_rows(ledger.path) == (*whole, half[0])
    with ledger.path.open("a") as file:
        file.write("r,avg=3,2")  # the machine went down
    assert read_rows(ledger.path) == (*whole, half[0])
    assert ledger.resume({"a": 2}) == {whole[0].cell}
    assert read_rows(ledger.path) == tuple(whole)


def test_what_was_compared_comes_back_and_may_be_missing(tmp_path: Path, rows) -> None:
    (row,) = rows("a", {"a": [3]})
    compared = replace(row, positions=12, nats=0.12345, same=11)
    ledger = Ledger(tmp_path / "utterances.csv")
    ledger.resume({})
    ledger.append([compared])
    assert read_rows(ledger.path) == (compared,)
    lines = ledger.path.read_text().splitlines()
    ledger.path.write_text("".join(line.rsplit(",", 3)[0] + "\n" for line in lines))  # nobody had compared
    assert read_rows(ledger.path) == (row,)
    assert ledger.resume({"a": 1}) == {row.cell}


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(EvaluationError, match="its columns are a, b"):
        read_rows(path)


def test_a_damaged_line_is_named(tmp_path: Path, rows) -> None:
    ledger = Ledger(tmp_path / "utterances.csv")
    ledger.resume({})
    with ledger.path.open("a") as file:
        file.write("r,avg=3,2,0,a,a,a0.wav,x,10\n")
    with pytest.raises(EvaluationError, match="a damaged line"):
        read_rows(ledger.path)


@pytest.mark.parametrize("numbers", ["-1,10,0,0,0", "1,10,5,nan,0", "1,10,5,inf,0", "1,1000000000000000,0,0,0"])
def test_counts_that_cannot_be_are_refused(tmp_path: Path, numbers: str) -> None:
    ledger = Ledger(tmp_path / "utterances.csv")
    ledger.resume({})
    with ledger.path.open("a") as file:
        file.write(f"r,avg=3,2,0,a,a,a0.wav,{numbers}\n")
    with pytest.raises(EvaluationError, match=r"a damaged line: a0\.wav: counts"):
        read_rows(ledger.path)
