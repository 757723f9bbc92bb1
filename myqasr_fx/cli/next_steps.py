"""The lines that a command ends with: what to do now."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from shutil import which

from rich.table import Table
from rich.text import Text

from myqasr_fx.cli.visible import shown

_LABEL = 11
"""Columns of the labels in the summary of a bundle, which stands above."""


def after_quantize(bundle: Path) -> Table:
    """Look at the report, use the bundle, and see which layers got how many bits."""
    place, page = _quoted(bundle)
    own = typed()
    return _next(_LABEL, f"{page} in a browser", f"{own} transcribe {place} AUDIO", f"{own} inspect {place}")


def after_demo(bundle: Path, heard: Path, model: str, budget: str) -> Table:
    """Look at the report, use the bundle, and make one's own.

    Args:
        bundle: Of the demonstration.
        heard: A recording at hand.
        model: Name of the model.
        budget: That most people will want for it.
    """
    (place, page), own = _quoted(bundle), typed()
    steps = f"{page} in a browser", f"{own} transcribe {place} {shlex.quote(str(heard))}", f"{own} inspect {place}"
    return _next(0, *steps, f"{own} quantize {model} --audio FOLDER --budget {budget} --out bundle")


def typed() -> str:
    """``myqasr`` as this shell finds it: without an activated environment, the program that was started."""
    if which("myqasr") is not None:
        return "myqasr"
    started = Path(sys.argv[0])
    return shlex.quote(str(started)) if started.name == "myqasr" else "python -m myqasr_fx"


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
