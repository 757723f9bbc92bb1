"""What killed processes left in a cache goes, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from myqasr_fx.process.abandoned import remove_abandoned

NAME = "grams-" + 32 * "a"


def age(path: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def test_what_was_begun_a_day_ago_goes(tmp_path: Path) -> None:
    kept = [NAME, f".{NAME}.young_01", ".hidden", f".{NAME}", f".{NAME}.lock"]
    for name in (*kept, f".{NAME}.old_0001"):
        (tmp_path / name).touch()
        age(tmp_path / name, 23 if name.endswith("young_01") else 25)
    for name, hours in (("old_0002", 25), ("at_work_", 1)):
        folder = tmp_path / f".decoder-{32 * '0'}.{name}"
        folder.mkdir()
        (folder / "decoder.onnx").touch()
        age(folder / "decoder.onnx", hours)
        age(folder, 25)
    (tmp_path / f".{NAME}.the_link").symlink_to(tmp_path / NAME)
    remove_abandoned(tmp_path)
    remove_abandoned(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*kept, f".decoder-{32 * '0'}.at_work_", f".{NAME}.the_link"}


def test_a_folder_that_is_not_there_is_none(tmp_path: Path) -> None:
    remove_abandoned(tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_removed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (f".{NAME}.aaaaaaaa", f".{NAME}.bbbbbbbb"):
        (tmp_path / name).touch()
        age(tmp_path / name, 25)
    unlink = os.unlink

    def refuse(path: str) -> None:
        if path.endswith("aaaaaaaa"):
            raise PermissionError
        unlink(path)

    monkeypatch.setattr(os, "unlink", refuse)
    remove_abandoned(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f".{NAME}.aaaaaaaa"]
