import os
from pathlib import Path

import pytest

from myqasr_fx.audio import find_audio
from myqasr_fx.errors import AudioError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.wav", "a.FLAC", "notes.txt", "sub/c.mp3", "sub/d.ogg", ".hidden.wav", ".git/e.wav", "f.wav/g.opus"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def test_folders_are_searched_and_sorted(tree: Path) -> None:
    names = [str(path.relative_to(tree)) for path in find_audio(tree)]
    assert names == ["a.FLAC", "b.wav", "f.wav/g.opus", "sub/c.mp3", "sub/d.ogg"]


def test_order_of_paths_is_kept_and_each_file_comes_once(tree: Path) -> None:
    found = find_audio([tree / "sub", str(tree / "b.wav"), tree])
    assert [path.name for path in found] == ["c.mp3", "d.ogg", "b.wav", "a.FLAC", "g.opus"]


def test_a_named_file_needs_no_audio_ending(tree: Path) -> None:
    assert find_audio(tree / "notes.txt") == (tree / "notes.txt",)


@pytest.mark.parametrize("name", ["missing.wav", "missing/folder"])
def test_missing_path_is_an_error(tree: Path, name: str) -> None:
    with pytest.raises(AudioError, match=f"{name}: no such file or folder"):
        find_audio([tree / "b.wav", tree / name])


def test_folder_without_audio_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(AudioError, match=r"no audio found.*\.flac"):
        find_audio(tmp_path)


def test_no_path_is_an_error() -> None:
    with pytest.raises(AudioError, match="no audio given"):
        find_audio([])


def test_names_that_no_file_can_have_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be read: File name too long"):
        find_audio(tmp_path / ("x" * 300))
    with pytest.raises(AudioError, match="names a user without a home folder"):
        find_audio("~nobody-of-that-name/a.wav")


def test_phone_recordings_are_audio(tmp_path: Path) -> None:
    for name in ("a.m4a", "b.MP4", "c.webm", "d.wma", "e.amr"):
        (tmp_path / name).touch()
    assert [path.name for path in find_audio(tmp_path)] == ["a.m4a", "b.MP4", "c.webm", "d.wma", "e.amr"]


def test_what_is_there_and_no_file_is_not_called_missing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioError, match=r"pipe\.wav: is no regular file.*standard input"):
        find_audio(tmp_path / "pipe.wav")
    (tmp_path / "a.wav").symlink_to(tmp_path / "b.wav")
    (tmp_path / "b.wav").symlink_to(tmp_path / "a.wav")
    with pytest.raises(AudioError, match=r"a\.wav: is a link that leads nowhere"):
        find_audio(tmp_path / "a.wav")
