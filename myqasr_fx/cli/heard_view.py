"""What a new bundle writes of its user's recordings, beside full precision: what anybody can read of a verdict."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from myqasr_fx.bundle.comparison import ClipComparison
from myqasr_fx.cli.visible import shortened, shown
from myqasr_fx.errors import BundleError

_MOST = 2
"""Recordings that are shown."""

_LONGEST = 240
"""Letters of a text."""


def heard_view(folder: Path) -> RenderableType:
    """Judged clips whose texts changed most, or one that did not change; nothing where the bundle keeps no texts."""
    from myqasr_fx.report.record import ReportDetails

    try:
        clips = ReportDetails.read(folder).comparisons or ()
    except BundleError:  # a report is no part of what was asked for
        clips = ()
    changed = sorted((clip for clip in clips if clip.edits.changes), key=lambda clip: clip.edits.changes, reverse=True)
    return Group(*(_clip(clip) for clip in (changed or clips)[: _MOST if changed else 1]))


def _clip(clip: ClipComparison) -> RenderableType:
    texts = {"full precision": clip.expected, "this bundle": clip.got}
    grid = Table.grid(padding=(0, 2))
    for name, text in texts.items() if clip.edits.changes else (("both write", clip.got),):
        grid.add_row(name, shown(shortened(text.strip(), _LONGEST)))
    return Group(shown(clip.name, "bold"), Padding(grid, (0, 0, 0, 2)))
