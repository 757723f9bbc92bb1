"""A user's own ``passes`` that Python finds before ours is named, with what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def imported(folder: Path, code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a folder, which Python searches first; ours comes behind it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        (sys.executable, *flags, "-c", code), cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("file", ["passes/__init__.py", "passes.py"])
def test_another_passes_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("raise SystemExit('the user\\'s own code ran')\n")
    done = imported(tmp_path, "import myqasr_fx")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    place = tmp_path / file.removesuffix("/__init__.py")
    assert last.startswith(f"ImportError: {place} hides the package `passes` that myqasr_fx brings: rename it")
    assert imported(tmp_path, "import myqasr_fx", "-P").returncode == 0  # as the message says


def test_another_passes_that_is_loaded_already_is_named(tmp_path: Path) -> None:
    (tmp_path / "passes.py").write_text("")
    done = imported(tmp_path, "import passes, myqasr_fx")
    assert f"{tmp_path / 'passes.py'} hides the package" in done.stderr.splitlines()[-1]


def test_a_folder_without_modules_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "passes").mkdir()
    done = imported(tmp_path, "import myqasr_fx, sys; print('torch' in sys.modules, 'passes' in sys.modules)")
    assert done.stdout == "False False\n", done.stderr
