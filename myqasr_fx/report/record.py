"""``report.json``: what the report shows beyond ``myqasr.json``; made once, when the weights are at hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from myqasr_fx.bundle.comparison import ClipComparison
from myqasr_fx.bundle.file_names import file_inside
from myqasr_fx.bundle.record_reader import build_record
from myqasr_fx.bundle.untrusted_json import read_json
from myqasr_fx.errors import BundleError

DETAILS = "report.json"

MAX_TEXT = 5_000
"""Characters of what was said in half a minute, several times over; words are compared in time that grows faster."""

MAX_BINS = 1_000
"""Bins of a histogram, which the page draws one by one."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts in bins of one width between ``low`` and ``high``.

    Raises:
        ValueError: There is no bin, there are too many, a count is negative, or the range is reversed.
    """

    low: float
    high: float
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.counts) <= MAX_BINS or min(self.counts) < 0 or not self.low <= self.high:
            raise ValueError(f"histogram of {len(self.counts)} bins from {self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class LayerDetail:
    """How the weights of one layer were rounded.

    Args:
        scales: Of log10 of the scales.
        codes: Of the integer codes, from the lowest to the highest of the width; low is 0 and high is 1.
        clipped: Share of weights outside the range that the codes can name.
        sqnr_db: Signal-to-quantization-noise ratio of the weights, dB; None when nothing changed.
        damping: Part of its mean diagonal that the second moment of its inputs took, where rounding needed more than
            usual: the recordings tell little about this layer.
    """

    scales: Histogram
    codes: Histogram
    clipped: float
    sqnr_db: float | None
    damping: float | None = None


@dataclass(frozen=True, slots=True)
class ReportDetails:
    """All of ``report.json``.

    Args:
        layers: Layer name to how it was rounded; layers in float are left out.
        comparisons: Clips heard by both models; None when the report is private.
    """

    layers: Mapping[str, LayerDetail]
    comparisons: tuple[ClipComparison, ...] | None

    def __post_init__(self) -> None:
        for clip in self.comparisons or ():
            if max(len(clip.expected), len(clip.got)) > MAX_TEXT:
                raise ValueError(f"a text of clip {clip.name[:40]!r} has more than {MAX_TEXT} characters")

    def as_json(self) -> str:
        """The text of ``report.json``, the same for the same content."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"

    def write(self, folder: Path) -> None:
        """Writes ``report.json``."""
        (folder / DETAILS).write_bytes(self.as_json().encode("utf-8", "replace"))

    @classmethod
    def read(cls, folder: Path) -> ReportDetails:
        """Reads ``report.json``.

        Raises:
            BundleError: It is missing or damaged.
        """
        path = file_inside(folder, DETAILS)
        if not path.exists():
            hint = "give a folder that myqasr quantize wrote: what `myqasr apply` makes and a hub sends has none"
            raise BundleError(f"{path}: No such file, so that there is nothing to report", hint=hint)
        try:
            return build_record(cls, read_json(path))
        except ValueError as error:
            raise BundleError(f"{path}: damaged: {error}", hint="quantize again") from error
