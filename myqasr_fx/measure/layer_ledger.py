"""Measurements of single layers as they come, one line each, so that an interrupted run loses one at most."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from myqasr_fx.errors import OutputError
from passes.needs import LayerAlone, Role
from passes.observe.activation_stats import ActivationStats, Statistics


@dataclass(frozen=True, slots=True)
class LayerLedger:
    """A file of statistics by layer and role; each line carries a checksum of its own.

    Args:
        path: The file; None keeps nothing.
    """

    path: Path | None

    def read(self) -> Statistics:
        """What is known; a line that was cut off, damaged or changed is passed over."""
        found: dict[tuple[str, Role], ActivationStats] = {}
        try:
            lines = [] if self.path is None else self.path.read_text(encoding="utf-8").split("\n")
        except (OSError, ValueError):
            return found
        for line in lines:
            text, _, checksum = line.rpartition("\t")
            if not text or checksum != _checksum(text):
                continue
            row = json.loads(text)
            found[row["layer"], _role(row["role"])] = ActivationStats(**row["stats"])
        return found

    def append(self, measured: Statistics) -> None:
        """Adds lines.

        Raises:
            OutputError: The file cannot be written.
        """
        if self.path is None:
            return
        rows = (
            json.dumps({"layer": layer, "role": str(role), "stats": asdict(stats)})
            for (layer, role), stats in measured.items()
        )
        text = "".join(f"{row}\t{_checksum(row)}\n" for row in rows)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                # A line that an earlier run could not finish ends here.
                file.write(text if file.tell() == 0 else f"\n{text}")
        except OSError as error:
            raise OutputError(f"cache {self.path.parent}: {error.strerror}", hint="choose another --cache") from error


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _role(text: str) -> Role:
    name, at, widths = text.partition("@")
    weights, _, inputs = widths.removeprefix("w").partition("a")
    return LayerAlone(name, int(weights), int(inputs) if inputs else None) if at else text
