"""What is done: one line a user, appended when the bundle is there, so that a run that was stopped goes on."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from myqasr_fx.bundle.output_file import write_file
from myqasr_fx.bundle.untrusted_json import parse_json
from myqasr_fx.errors import OptionError, OutputError

LEDGER = "fleet.jsonl"


@dataclass(frozen=True, slots=True)
class UserRow:
    """What came of one user.

    Args:
        user: Name, and that of the bundle's folder.
        recordings: SHA-256 of the files.
        seconds: That it took.
        bytes: Of the model files; None when there is no bundle.
        verdict: accepted, uncertain or rejected; None where nothing was judged.
        agreement: Share of best tokens as at full precision, on the judged clips.
        kl: Nats a token from full precision, on the same.
        error: Why there is no bundle; None when there is one.
    """

    user: str
    recordings: str
    seconds: float
    bytes: int | None = None
    verdict: str | None = None
    agreement: float | None = None
    kl: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The file.

    Args:
        path: Of the file.
        made: What all bundles in it are made of and by: fingerprint and options.
    """

    path: Path
    made: dict[str, Any]

    def resume(self) -> dict[str, UserRow]:
        """User to the last line about it; begins the file where there is none. A line that was cut off is none.

        Raises:
            OptionError: The file is of another model or other options, or is no ledger.
            OutputError: It cannot be read or written.
        """
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be read: {error}", hint="choose another --out") from error
        whole = content.rfind(b"\n") + 1  # of bytes: the cut may be inside a letter
        lines = content[:whole].split(b"\n")[:-1]
        if not lines:
            self._begin()
            return {}
        try:
            head, *rows = [parse_json(line.decode("utf-8")) for line in lines]
            found = {row["user"]: UserRow(**row) for row in rows}
        except (ValueError, TypeError, KeyError) as error:
            raise OptionError(f"{self.path}: is no ledger of a fleet", hint="choose another --out") from error
        if head != self.made and not rows and isinstance(head, dict) and head.keys() == self.made.keys():
            self._begin()  # nothing was done yet, say because the budget was too small
        elif head != self.made:
            raise OptionError(f"{self.path}: is of another model or other options", hint="choose another --out")
        elif whole < len(content):
            self._cut(whole)
        return found

    def append(self, row: UserRow) -> None:
        """Adds a line.

        Raises:
            OutputError: The file cannot be written.
        """
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(asdict(row)))
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}", hint="free space and run the command again") from error

    def _begin(self) -> None:
        write_file(self.path, _line(self.made), force=True)

    def _cut(self, size: int) -> None:
        """Writes nothing, so that a full disk and a kill leave all whole lines."""
        try:
            os.truncate(self.path, size)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}", hint="choose another --out") from error


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True) + "\n"
