"""Folders beside and inside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from myqasr_fx.bundle.places import check_outside, settled
from myqasr_fx.errors import OptionError


def test_a_place_behind_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert settled(tmp_path / "none" / ".." / "out") == tmp_path / "out"
    assert settled("out") == Path("out")


def test_what_lies_inside_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_outside(Path("out"), {"cache": None, "dump-ir": Path("outside")})
    for inside in (Path("out"), tmp_path / "out" / "ir", Path("none/../out/ir")):
        with pytest.raises(OptionError, match=r"--dump-ir .* lies in --out out .*another --dump-ir"):
            check_outside(Path("out"), {"cache": Path("c"), "dump-ir": inside})
