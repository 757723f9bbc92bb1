from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from myqasr_fx.bundle.sole_run import sole_run
from myqasr_fx.errors import OutputError

WAITS = """
import sys
from pathlib import Path
from myqasr_fx.bundle.sole_run import sole_run
with sole_run(Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_kept_out_until_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WAITS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "in\n"
        with pytest.raises(OutputError, match="another run is writing there"), sole_run(tmp_path):
            pass
        other.kill()  # what a killed run held is free
        other.wait()
    with sole_run(tmp_path):
        assert not list(tmp_path.iterdir())
    with sole_run(tmp_path):
        pass


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"), sole_run(tmp_path / "none"):
        pass
