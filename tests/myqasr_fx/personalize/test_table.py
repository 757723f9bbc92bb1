from __future__ import annotations

from pathlib import Path

import pytest

from myqasr_fx.errors import EvaluationError, OutputError
from myqasr_fx.personalize import table
from myqasr_fx.personalize.table import append_to_table, read_table, write_table


def test_lines_come_back_and_one_that_was_cut_off_does_not(tmp_path: Path) -> None:
    path = tmp_path / "new" / "t.csv"
    assert read_table(path) == []
    write_table(path, [["a", "b"], [1, "x,\u2028y"]])
    with path.open("a") as file:
        file.write("2,cut o")
    assert read_table(path) == [["a", "b"], ["1", "x,\u2028y"]]
    append_to_table(path, ["a", "b"], [[3, 4]])
    assert read_table(path) == [["a", "b"], ["1", "x,\u2028y"], ["3", "4"]]


@pytest.mark.parametrize("left", ["", "a,"])
def test_a_file_without_a_whole_line_gets_its_head(tmp_path: Path, left: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(left)
    append_to_table(path, ["a"], [[1]])
    assert read_table(path) == [["a"], ["1"]]


@pytest.mark.parametrize("content", [b"a\n\xff\n", b"a\n" + b"x" * 200_000 + b"\n"], ids=["no UTF-8", "a huge cell"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(EvaluationError, match=r"t\.csv: cannot be read"):
        read_table(tmp_path / "t.csv")


def test_a_table_is_replaced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    write_table(path, [["old"]])

    def no_rename(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("myqasr_fx.bundle.output_file.os.replace", no_rename)
    with pytest.raises(KeyboardInterrupt):
        table.write_table(path, [["new"]])
    assert read_table(path) == [["old"]]
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.csv"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"t\.csv"):
        write_table(tmp_path / "file" / "t.csv", [])
