"""``delta.json``: which files a delta makes of which, and what all of them hash to."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from myqasr_fx.bundle.file_names import check_file_name, is_file
from myqasr_fx.bundle.record_reader import build_record
from myqasr_fx.bundle.records import check_least
from myqasr_fx.bundle.untrusted_json import MAX_BYTES, read_object
from myqasr_fx.errors import BundleError

FORMAT_VERSION = 1
RECORD, CONTENT = "delta.json", "delta.xz"

SAME, DIFFERENCE, WHOLE = "same", "difference", "whole"

_MAX_FILES = 1000
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class DeltaFile:
    """One file of the user's bundle.

    Args:
        name: Relative to the bundle's folder.
        bytes: Of the file.
        sha256: Of the file.
        stored: ``same``: the base's file of that name; ``difference``: bytes to add to those of the base's file, which
            has as many; ``whole``: the file itself.
        base_sha256: Of the base's file; None for a whole one.
    """

    name: str
    bytes: int
    sha256: str
    stored: str
    base_sha256: str | None = None

    def __post_init__(self) -> None:
        check_file_name(self.name)
        check_least(self, ("bytes",))
        if self.stored not in (SAME, DIFFERENCE, WHOLE):
            raise ValueError(f"stored: {self.stored[:40]!r}, expected {SAME}, {DIFFERENCE} or {WHOLE}")
        if (self.base_sha256 is None) != (self.stored == WHOLE):
            raise ValueError(f"{self.name}: a base goes with what is no whole file")
        if not all(_SHA256.fullmatch(digest) for digest in (self.sha256, self.base_sha256 or self.sha256)):
            raise ValueError(f"{self.name}: expected a SHA-256 of 64 digits")


@dataclass(frozen=True, slots=True)
class Gain:
    """What the user's values are worth, on recordings that were kept from the fit.

    Args:
        clips: How many.
        base: Divergence of the base from full precision, nats a position.
        fitted: The same with the fitted values; where it is larger, the base's stay.
    """

    clips: int
    base: float
    fitted: float

    def __post_init__(self) -> None:
        check_least(self, ("clips", "base", "fitted"))

    @property
    def taken(self) -> bool:
        """The fitted values are in the bundle."""
        return self.fitted < self.base


@dataclass(frozen=True, slots=True)
class DeltaRecord:
    """All of ``delta.json``.

    Args:
        format_version: Changes when a reader has to.
        model: Name of the model.
        fingerprint: SHA-256 of its weights and configuration.
        bytes: Of ``delta.xz``.
        sha256: Of ``delta.xz``.
        files: In the order in which ``delta.xz`` holds them.
        gain: What was fitted, and whether it was taken.
    """

    format_version: int
    model: str
    fingerprint: str
    bytes: int
    sha256: str
    files: tuple[DeltaFile, ...]
    gain: Gain

    def __post_init__(self) -> None:
        check_least(self, ("bytes",))
        names = [file.name.casefold() for file in self.files]
        if not 0 < len(set(names)) == len(names) <= _MAX_FILES:
            raise ValueError(f"files: {len(names)}, expected 1 to {_MAX_FILES}, each once")
        folders = {parent.as_posix() for name in names for parent in PurePosixPath(name).parents}
        if both := sorted(folders & set(names)):
            raise ValueError(f"files: {both[0][:40]!r} is a folder of another, too")
        if (total := sum(file.bytes for file in self.files if file.stored == WHOLE)) > MAX_BYTES:
            raise ValueError(f"files: {total} bytes that the base has not, expected at most {MAX_BYTES}")

    def write(self, folder: Path) -> None:
        """Writes ``delta.json``, the same bytes for the same content."""
        text = json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True, ensure_ascii=False)
        (folder / RECORD).write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> DeltaRecord:
        """Reads ``delta.json``.

        Raises:
            BundleError: It is missing, damaged or of another version.
        """
        path = folder / RECORD
        if not is_file(path):
            why = f"{RECORD} cannot be read" if os.path.exists(folder) else "there is no such folder"
            raise BundleError(f"{folder} is no delta: {why}", hint=f"give the folder that holds {RECORD}")
        data = read_object(path)
        version = data.get("format_version")
        if version != FORMAT_VERSION or isinstance(version, bool):
            problem = f"{path}: another format version than {FORMAT_VERSION}"
            raise BundleError(problem, hint="use the myqasr_fx version that wrote it")
        try:
            return build_record(cls, data)
        except ValueError as error:
            raise BundleError(f"{path}: damaged: {error}", hint="make the delta again") from error
