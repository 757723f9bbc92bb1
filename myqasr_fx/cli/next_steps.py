"""The line that a command ends with: what to do now."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.text import Text

from myqasr_fx.cli.visible import visible

_LABEL = 13
"""Columns before the text, as of the labels in the summary above it."""


def after_quantize(bundle: Path) -> Text:
    """Look at the report, and use the bundle."""
    from myqasr_fx.report.render import REPORT

    place, page = (shlex.quote(str(path)) for path in (bundle, bundle / REPORT))
    return _next(f"open {page}", f"myqasr transcribe {place} AUDIO", f"myqasr report {place}")


def after_demo(kept: Path | None, model: str, budget: str) -> Text:
    """Use the bundle, or make one's own.

    Args:
        kept: The bundle; None when it is gone.
        model: Name of the model.
        budget: That it was given.
    """
    if kept is None:
        return _next(f"myqasr quantize {model} --audio YOUR_RECORDINGS --budget {budget} --out bundle")
    place = shlex.quote(str(kept))
    return _next(f"myqasr transcribe {place} AUDIO", f"myqasr report {place}", f"myqasr inspect {place}")


def _next(*steps: str) -> Text:
    return Text.assemble((f"{'next':<{_LABEL}}", "bold"), visible("; ".join(steps)))
