"""A file that appears whole or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from myqasr_fx.bundle.output_file import write_file
from myqasr_fx.errors import OutputError

KILLED = """
import os, sys
from pathlib import Path
from myqasr_fx.bundle.output_file import write_file
replace = os.replace
def stop(a, b):
    if sys.argv[2] == "after":
        replace(a, b)
    os.kill(os.getpid(), 9)
os.replace = stop
write_file(Path(sys.argv[1]), "new", force=True)
"""


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_written_with_ordinary_permissions(tmp_path: Path) -> None:
    write_file(tmp_path / "a.html", "grün", force=False)
    (tmp_path / "plain").touch()
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == "grün"
    assert (tmp_path / "a.html").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert visible(tmp_path) == ["a.html", "plain"]


def test_an_existing_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("precious")
    with pytest.raises(OutputError, match=r"mine\.txt exists .*--force"):
        write_file(path, "new", force=False)
    assert path.read_text() == "precious"
    write_file(path, "new", force=True)
    assert path.read_text() == "new"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "report.html").symlink_to("precious")
    write_file(tmp_path / "report.html", "new", force=True)
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "report.html").read_text() == "new"


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_file_is_refused(tmp_path: Path, force: bool) -> None:
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(OutputError, match="is no file"):
            write_file(path, "new", force=force)


@pytest.mark.parametrize("name", ["no/a.html", "a" * 300])
def test_a_place_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_file(tmp_path / name, "new", force=False)
    assert visible(tmp_path) == []


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127])
def test_the_longest_name_is_written(tmp_path: Path, name: str) -> None:
    write_file(tmp_path / name, "new", force=False)
    assert (tmp_path / name).read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_and_an_interruption_leave_the_old_file(
    tmp_path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise error

    path = tmp_path / "a.html"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((OutputError, KeyboardInterrupt)) as stopped:
        write_file(path, "new", force=True)
    assert isinstance(stopped.value, KeyboardInterrupt) or "no space left to write" in str(stopped.value)
    assert path.read_text() == "old"
    assert visible(tmp_path) == ["a.html"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_process_leaves_the_old_or_the_new_file_and_the_next_cleans_up(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "a.html"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, path, moment], check=False)
    assert done.returncode == -9
    assert path.read_text() == ("old" if moment == "before" else "new")
    write_file(path, "next", force=True)
    assert path.read_text() == "next"
    assert visible(tmp_path) == ["a.html"]
