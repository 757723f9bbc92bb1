from pathlib import Path

import pytest

from myqasr_fx.bundle.writable_folder import check_writable
from myqasr_fx.errors import OutputError


def test_nothing_stays_of_the_trial(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    check_writable(tmp_path / "a" / "b", "cache")
    check_writable(tmp_path / "there", "cache")
    assert [p.name for p in tmp_path.rglob("*")] == ["there"]


def test_a_file_is_no_folder_and_a_parent_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OutputError, match=rf"^cache {file}: is no folder \(choose another --cache\)$"):
        check_writable(file, "cache")
    with pytest.raises(OutputError, match=rf"^out {file}/a/b: {file} is no folder"):
        check_writable(file / "a" / "b", "out")
    assert [p.name for p in tmp_path.rglob("*")] == ["file"]


def test_a_name_that_no_folder_can_have_leaves_no_parent(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File name too long"):
        check_writable(tmp_path / "a" / ("b" * 300), "cache")
    assert not list(tmp_path.iterdir())
