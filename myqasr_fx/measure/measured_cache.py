"""Keeps measurements of single layers as they come, one line each, so that an interrupted run loses one at most."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from myqasr_fx.errors import OutputError
from passes.observe.activation_stats import ActivationStats, Statistics

_VERSION = 2


@dataclass(frozen=True, slots=True)
class MeasuredCache:
    """A file of statistics by layer and role.

    Args:
        path: The file; None keeps nothing.
    """

    path: Path | None

    @classmethod
    def of(cls, folder: Path | None, key: Sequence[str]) -> MeasuredCache:
        """The cache in ``folder`` of what ``key`` names; one without a folder keeps nothing.

        Raises:
            OutputError: There can be no such folder.
        """
        if folder is None:
            return cls(None)
        digest = hashlib.sha256("\n".join((str(_VERSION), *key)).encode()).hexdigest()[:32]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _refused(folder, error) from error
        return cls(folder / f"layers-{digest}.jsonl")

    def read(self) -> Statistics:
        """What is known; a line that was cut off or damaged is passed over."""
        found: dict[tuple[str, str], ActivationStats] = {}
        try:
            lines = [] if self.path is None else self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return found
        for line in lines:
            try:
                row = json.loads(line)
                found[row["layer"], row["role"]] = ActivationStats(**row["stats"])
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def append(self, measured: Statistics) -> None:
        """Adds lines.

        Raises:
            OutputError: The file cannot be written.
        """
        if self.path is None:
            return
        rows = [{"layer": layer, "role": role, "stats": asdict(stats)} for (layer, role), stats in measured.items()]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                # A line that an earlier run could not finish ends here.
                file.write(text if file.tell() == 0 else f"\n{text}")
        except OSError as error:
            raise _refused(self.path.parent, error) from error


def _refused(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"cache {folder}: {error.strerror}", hint="choose another --cache")
