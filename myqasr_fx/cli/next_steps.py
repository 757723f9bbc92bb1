"""The lines that a command ends with: what to do now."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import which

from rich.console import Group
from rich.text import Text

from myqasr_fx.cli.visible import visible

_LABEL = 11
"""Columns of the labels in the summary of a bundle, which stands above."""


def after_quantize(bundle: Path) -> Group:
    """Look at the report, use the bundle, and see which layers got how many bits."""
    place, page = _quoted(bundle)
    own = typed()
    return _next(_LABEL, f"{page} in a browser", f"{own} transcribe {place} AUDIO", f"{own} inspect {place}")


def after_fleet(bundle: Path, rejected: tuple[Path, Sequence[Path]] | None) -> Group:
    """Look at one user's report, use that bundle, and find out about one that is rejected.

    Args:
        bundle: Of some user.
        rejected: Bundle and recordings of a user whose bundle is rejected; None where there is none.
    """
    (place, page), own = _quoted(bundle), typed()
    steps = [f"{page} in a browser", f"{own} transcribe {place} AUDIO"]
    if rejected is not None:
        audio = " ".join(f"--audio {shlex.quote(str(path))}" for path in rejected[1])
        steps.append(f"{own} diagnose {shlex.quote(str(rejected[0]))} {audio}")
    return _next(0, *steps)


def after_demo(bundle: Path, heard: Path, model: str, budget: str) -> Group:
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


def _next(label: int, *steps: str) -> Group:
    """One step a line, behind so many columns at least; lines that a terminal may break, but that are copied whole."""
    width = max(label, len("next")) + 2
    return Group(*(unbroken("" if index else "next", width, step) for index, step in enumerate(steps)))


def unbroken(label: str, width: int, command: str) -> Text:
    """A command to be copied: no line ends in it."""
    line = Text(f"{label:{width}}", "bold", no_wrap=True, overflow="ignore")
    return line.append_text(Text(visible(command), "not bold"))
