"""Who the users are, and which recordings are theirs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from myqasr_fx.audio import find_audio
from myqasr_fx.bundle.untrusted_json import parse_json
from myqasr_fx.errors import OptionError
from myqasr_fx.fleet.ledger import LEDGER

Users = Mapping[str, Sequence[Path]]
"""Name to files and folders of recordings."""

_LONGEST = 100


def find_users(place: Path, out: Path | None = None) -> dict[str, list[Path]]:
    """The users of a folder with a folder for each, or of a manifest with ``user`` and ``audio`` on each line.

    Args:
        place: The folder, or a JSONL file; its paths are relative to its own folder.
        out: Folder of the bundles, which may be neither the folder nor a user's.

    Raises:
        OptionError: There is none, a line is no such object, a name cannot be that of a folder, or bundles would come
            among recordings.
    """
    if not os.path.lexists(place):
        raise OptionError(f"{place}: no such file or folder")
    found = _in_manifest(place) if place.is_file() else _in_folder(place)
    check_names(found)
    if out and out.resolve() in {path.resolve() for path in (place, *chain.from_iterable(found.values()))}:
        raise OptionError(f"--out {out} holds recordings of --users", hint="choose another --out")
    return found


def told_users(users: Mapping[str, str | Path | Sequence[str | Path]]) -> dict[str, tuple[Path, ...]]:
    """Users as a caller from Python tells them: each has a file or folder, or several.

    Raises:
        OptionError: It is no such mapping.
    """
    if not isinstance(users, Mapping):
        raise OptionError(f"users: got a {type(users).__name__}", hint="give a mapping of names to recordings")
    found = {}
    for name, recordings in users.items():
        several = (recordings,) if isinstance(recordings, (str, Path)) else recordings
        known = isinstance(several, Sequence) and all(isinstance(each, (str, Path)) for each in several)
        if not isinstance(name, str) or not known:
            hint = "give a name, and a file or folder of recordings, or a list of such"
            raise OptionError(f"user {name!r}: got a {type(recordings).__name__}", hint=hint)
        found[name] = tuple(map(Path, several))
    return found


def check_names(users: Users) -> None:
    """Refuses names that cannot be folders beside each other.

    Raises:
        OptionError: Naming the first, or there is no user.
    """
    if not users:
        raise OptionError("no user", hint="give a folder with a folder of recordings for each user")
    seen: dict[str, str] = {}
    for name in users:
        taken, parts = name in ("", ".", "..", LEDGER), set(name) & set("/\\\0")
        if taken or parts or len(name) > _LONGEST or not name.isprintable():
            raise OptionError(f"user {name[:_LONGEST]!r}: cannot be the name of a folder")
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise OptionError(f"users {other!r} and {name!r}: one name on many file systems")


def digest_of(recordings: Sequence[Path]) -> str:
    """SHA-256 of all files of a user, names left out.

    Raises:
        AudioError: A path does not exist or a folder holds no audio.
    """
    digest = hashlib.sha256()
    for file in find_audio(recordings):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _in_folder(place: Path) -> dict[str, list[Path]]:
    try:
        inside = sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise OptionError(f"{place}: cannot be read: {error.strerror}") from error
    # A fleet's own folder of bundles among the users is none of them.
    return {path.name: [path] for path in inside if not (path / LEDGER).is_file()}


def _in_manifest(place: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    try:
        lines = place.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        raise OptionError(f"users {place}: cannot be read: {error}") from error
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            line = parse_json(text)
        except ValueError as error:
            raise OptionError(f"users {place}, line {number}: {error}") from error
        if not isinstance(line, dict) or not all(isinstance(line.get(key), str) for key in ("user", "audio")):
            raise OptionError(f"users {place}, line {number}: expected an object with texts 'user' and 'audio'")
        found.setdefault(line["user"], []).append(place.parent / line["audio"])
    return found
