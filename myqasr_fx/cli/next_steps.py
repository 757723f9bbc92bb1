"""The lines that a command ends with: what to do now."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.table import Table
from rich.text import Text

from myqasr_fx.cli.visible import shown

_LABEL = 11
"""Columns of the labels in the summary of a bundle, which stands above."""


def after_quantize(bundle: Path) -> Table:
    """Look at the report, and use the bundle."""
    place, page = _quoted(bundle)
    return _next(_LABEL, f"open {page}", f"myqasr transcribe {place} AUDIO", f"myqasr report {place}")


def after_demo(bundle: Path, model: str, budget: str) -> Table:
    """Look at the report, use the bundle, and make one's own.

    Args:
        bundle: Of the demonstration.
        model: Name of the model.
        budget: That most people will want for it.
    """
    place, page = _quoted(bundle)
    own = f"myqasr quantize {model} --audio FOLDER --budget {budget} --out bundle"
    return _next(0, f"open {page}", f"myqasr transcribe {place} AUDIO", f"myqasr inspect {place}", own)


def _quoted(bundle: Path) -> tuple[str, str]:
    """The bundle and its report, as a shell takes them."""
    from myqasr_fx.report.render import REPORT

    return shlex.quote(str(bundle)), shlex.quote(str(bundle / REPORT))


def _next(label: int, *steps: str) -> Table:
    """One step a line, behind so many columns at least."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(min_width=label)
    for index, step in enumerate(steps):
        grid.add_row(Text("" if index else "next", "bold"), shown(step))
    return grid
