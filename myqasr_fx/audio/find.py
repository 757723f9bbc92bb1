"""Which files are audio."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from myqasr_fx.errors import AudioError

_NATIVE = ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .caf .w64"
_IN_CONTAINERS = ".m4a .m4b .mp4 .mov .3gp .webm .mka .mkv .wma .amr .aac"

AUDIO_SUFFIXES = frozenset(f"{_NATIVE} {_IN_CONTAINERS}".split())
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
    found = [file for path in paths for file in _files(expanded(path))]
    return tuple(dict.fromkeys(found))


def expanded(path: str | Path) -> Path:
    """A path with ``~`` and ``~user`` replaced.

    Raises:
        AudioError: There is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise AudioError(f"{path}: names a user without a home folder", hint="write ./~ for a file") from error


def _files(path: Path) -> list[Path]:
    try:
        if path.is_file():
            return [path]
        if not path.is_dir():
            raise _missing(path)
        files = sorted(file for file in path.rglob("*") if _is_audio(file, path))
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise AudioError(f"{path}: cannot be read: {error.strerror}") from error
    if not files:
        raise AudioError(f"{path}: no audio found", hint=f"looked for {' '.join(sorted(AUDIO_SUFFIXES))}")
    return files


def _missing(path: Path) -> AudioError:
    """The error for what is neither a file nor a folder."""
    if path.exists():
        hint = "write it to a file first; transcribe and listen read standard input under the name -"
        return AudioError(f"{path}: is no regular file", hint=hint)
    return AudioError(f"{path}: {'is a link that leads nowhere' if path.is_symlink() else 'no such file or folder'}")


def _is_audio(file: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    return not hidden and file.suffix.lower() in AUDIO_SUFFIXES and file.is_file()
