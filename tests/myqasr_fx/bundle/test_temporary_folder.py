from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from myqasr_fx.bundle.signals import signals_as_exceptions
from myqasr_fx.bundle.temporary_folder import temporary_folder


@pytest.fixture(autouse=True)
def interruptible(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The handlers that a process has at its start, and a temporary folder of its own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def test_it_is_there_within_and_gone_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="out"), temporary_folder() as folder:
        (folder / "a").mkdir()
        (folder / "a" / "b").write_text("x")
        assert folder.parent == tmp_path
        raise ValueError("out")
    assert not any(tmp_path.iterdir())


def test_a_signal_while_it_is_made_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**options: Any) -> str:
        made = mkdtemp(**options)
        os.kill(os.getpid(), signal.SIGTERM)
        return made

    monkeypatch.setattr("myqasr_fx.bundle.temporary_folder.tempfile.mkdtemp", interrupted)
    with pytest.raises(SystemExit), signals_as_exceptions(), temporary_folder():
        pytest.fail("goes on behind a signal")
    assert not any(tmp_path.iterdir())


def test_a_signal_while_it_is_removed_stops_nothing_halfway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(folder: Path, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        rmtree(folder, **options)

    rmtree = shutil.rmtree
    monkeypatch.setattr("myqasr_fx.bundle.temporary_folder.shutil.rmtree", interrupted)
    with pytest.raises(SystemExit) as stopped, signals_as_exceptions(), temporary_folder() as folder:
        (folder / "a").write_text("x")
    assert stopped.value.code == 128 + signal.SIGTERM
    assert not any(tmp_path.iterdir())
