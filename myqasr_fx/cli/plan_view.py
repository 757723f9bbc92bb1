"""What ``quantize --dry-run`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table

from myqasr_fx.cli.fitting import Fitting, with_words_below
from myqasr_fx.cli.road_view import road_view
from myqasr_fx.cli.visible import shown

if TYPE_CHECKING:
    from myqasr_fx.fit.plan import Plan, PlannedLayer


def plan_view(plan: Plan) -> RenderableType:
    """The predicted bytes and one row a layer, in network order."""
    budget = "" if plan.budget_bytes is None else f" of {plan.budget_bytes:,}"
    head = (
        f"{plan.model}: {plan.predicted_bytes:,}{budget} bytes predicted, "
        f"{8 * plan.predicted_bytes / plan.num_weights:.2f} bits a weight, "
        f"ranked on {plan.clips} clip{'s' * (plan.clips != 1)}; nothing written"
    )
    unused = (shown(f"not used: {reason}", "yellow") for reason in plan.rejected)
    return Group(road_view(plan.stages), shown(head), Fitting(_wide(plan), _narrow(plan)), *unused)


def _wide(plan: Plan) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("layer", "op", "shape"):
        table.add_column(name, no_wrap=True)
    for name in ("sensitivity", "bits"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("rows", no_wrap=True)
    for layer in plan.layers:
        table.add_row(*map(shown, (layer.name, layer.op, _shape(layer), *_numbers(layer), _rows(layer))))
    return table


def _narrow(plan: Plan) -> Table:
    """What is no number stands below the layer's name."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("layer", overflow="fold")
    for name in ("sensitivity", "bits"):
        table.add_column(name, justify="right", no_wrap=True)
    for layer in plan.layers:
        rows = f"rows: {_rows(layer)}" if layer.rows else "-"
        words = with_words_below(layer.name, (layer.op, _shape(layer), rows))
        table.add_row(words, *map(shown, _numbers(layer)))
    return table


def _numbers(layer: PlannedLayer) -> tuple[str, str]:
    return f"{layer.sensitivity:.3g}", "-" if layer.bits is None else f"{layer.bits:.3g}"


def _rows(layer: PlannedLayer) -> str:
    return ", ".join(f"{count} at {bits}" for bits, count in layer.rows)


def _shape(layer: PlannedLayer) -> str:
    return "x".join(map(str, layer.shape)) or "-"
