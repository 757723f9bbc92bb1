"""What ``quantize --explain`` prints: the stages of a run."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from myqasr_fx.process.stage import Stage


def road_view(stages: Sequence[Stage]) -> Table:
    """One row a stage, in order."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("stage", "does", "passes", "clips"):
        table.add_column(name)
    for stage in stages:
        table.add_row(stage.name, stage.does, " ".join(stage.passes) or "-", stage.clips or "-")
    return table
