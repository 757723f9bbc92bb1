"""Which files are audio."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from myqasr_fx.errors import AudioError

AUDIO_SUFFIXES = frozenset(".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .caf .w64".split())
"""File name endings looked for in folders, lower case."""


def find_audio(paths: Iterable[str | Path] | str | Path) -> tuple[Path, ...]:
    """Audio files under ``paths``.

    Args:
        paths: Files, taken whatever they are called, and folders, searched with their subfolders for audio endings;
            hidden files and folders in them are passed over.

    Returns:
        The files in the order of ``paths``, those of one folder sorted, each once.

    Raises:
        AudioError: A path does not exist or a folder holds no audio.
    """
    paths = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not paths:
        raise AudioError("no audio given", hint="name files or folders")
    found = [file for path in paths for file in _files(Path(path).expanduser())]
    return tuple(dict.fromkeys(found))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise AudioError(f"{path}: no such file or folder")
    files = sorted(file for file in path.rglob("*") if _is_audio(file, path))
    if not files:
        raise AudioError(f"{path}: no audio found", hint=f"looked for {' '.join(sorted(AUDIO_SUFFIXES))}")
    return files


def _is_audio(file: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    return not hidden and file.suffix.lower() in AUDIO_SUFFIXES and file.is_file()
