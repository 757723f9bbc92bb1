"""``report.json``: what the report shows beyond ``myqasr.json``; made once, when the weights are at hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from myqasr_fx.bundle.comparison import ClipComparison, WordEdits
from myqasr_fx.errors import BundleError

DETAILS = "report.json"


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts in bins of one width between ``low`` and ``high``.

    Raises:
        ValueError: There is no bin, or the range is reversed.
    """

    low: float
    high: float
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.counts or not self.low <= self.high:
            raise ValueError(f"histogram of {len(self.counts)} bins from {self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class LayerDetail:
    """How the weights of one layer were rounded.

    Args:
        scales: Of log10 of the scales.
        codes: Of the integer codes, from the lowest to the highest of the width; low is 0 and high is 1.
        clipped: Share of weights outside the range that the codes can name.
        sqnr_db: Signal-to-quantization-noise ratio of the weights, dB; None when nothing changed.
    """

    scales: Histogram
    codes: Histogram
    clipped: float
    sqnr_db: float | None


@dataclass(frozen=True, slots=True)
class ReportDetails:
    """All of ``report.json``.

    Args:
        layers: Layer name to how it was rounded; layers in float are left out.
        comparisons: Clips heard by both models; None when the report is private.
    """

    layers: Mapping[str, LayerDetail]
    comparisons: tuple[ClipComparison, ...] | None

    def write(self, folder: Path) -> None:
        """Writes ``report.json``, the same bytes for the same content."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        (folder / DETAILS).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> ReportDetails:
        """Reads ``report.json``.

        Raises:
            BundleError: It is missing or damaged.
        """
        path = folder / DETAILS
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            rows = data["comparisons"]
            return cls(
                {name: _layer(row) for name, row in data["layers"].items()},
                None if rows is None else tuple(_comparison(row) for row in rows),
            )
        except OSError as error:
            raise BundleError(f"{path}: {error.strerror}", hint="quantize again") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(f"{path}: damaged: {error}", hint="quantize again") from error


def _layer(row: Mapping[str, Any]) -> LayerDetail:
    histograms = {key: Histogram(**{**row[key], "counts": tuple(row[key]["counts"])}) for key in ("scales", "codes")}
    return LayerDetail(**{**row, **histograms})


def _comparison(row: Mapping[str, Any]) -> ClipComparison:
    return ClipComparison(**{**row, "edits": WordEdits(**row["edits"])})
