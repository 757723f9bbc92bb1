"""Too little memory is told before the work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.errors import MyqasrError
from myqasr_fx.models.load import load_model
from myqasr_fx.process import memory

GIGA = 1 << 30


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A system with so many free bytes, and a container with a limit and what it uses of it, files included."""

    def make(free: int, limit: int | str | None = None, used: int = 0, files: int = 0) -> None:
        meminfo = f"MemTotal: 9 kB\nMemAvailable: {free // 1024} kB\nSwapFree: 0 kB\nHugePages_Total: 0\n"
        (tmp_path / "meminfo").write_text(meminfo)
        if limit is not None:
            (tmp_path / "memory.max").write_text(f"{limit}\n")
            (tmp_path / "memory.current").write_text(f"{used}\n")
            (tmp_path / "memory.stat").write_text(f"anon 1\nactive_file {files}\ninactive_file 0\n")
        monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
        monkeypatch.setattr(memory, "_GROUPS", ((tmp_path / "memory.max", tmp_path / "memory.current"),))

    return make


def test_the_machine_and_the_container_both_count(system: Callable[..., None]) -> None:
    system(8 * GIGA)
    assert memory.free_bytes() == 8 * GIGA
    system(8 * GIGA, limit=4 * GIGA, used=3 * GIGA, files=GIGA)
    assert memory.free_bytes() == 2 * GIGA
    system(GIGA, limit=4 * GIGA)
    assert memory.free_bytes() == GIGA
    system(8 * GIGA, limit="max")
    assert memory.free_bytes() == 8 * GIGA


def test_a_system_that_does_not_tell_refuses_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "missing")
    monkeypatch.setattr(memory, "_GROUPS", ())
    assert memory.free_bytes() is None
    memory.check_room("anything", 1 << 60)


def test_a_model_that_does_not_fit_is_refused_unread(
    system: Callable[..., None], save_model: Callable[..., Path]
) -> None:
    folder = save_model("smallest")
    system(GIGA)
    load_model(str(folder))
    system(4096)
    with pytest.raises(MyqasrError, match=r"loading .*takes at least 0\.0 GB more memory, 0\.0 GB are free"):
        load_model(str(folder))
