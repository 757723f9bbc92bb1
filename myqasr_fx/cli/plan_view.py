"""What ``quantize --dry-run`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table

from myqasr_fx.cli.road_view import road_view
from myqasr_fx.cli.visible import shown

if TYPE_CHECKING:
    from myqasr_fx.fit.plan import Plan


def plan_view(plan: Plan) -> RenderableType:
    """The predicted bytes and one row a layer, in network order."""
    budget = "" if plan.budget_bytes is None else f" of {plan.budget_bytes:,}"
    head = (
        f"{plan.model}: {plan.predicted_bytes:,}{budget} bytes predicted, "
        f"{8 * plan.predicted_bytes / plan.num_weights:.2f} bits a weight, "
        f"ranked on {plan.clips} clip{'s' * (plan.clips != 1)}; nothing written"
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("layer", "op", "shape"):
        table.add_column(name, no_wrap=True)
    for name in ("sensitivity", "bits"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("rows", no_wrap=True)
    for layer in plan.layers:
        rows = ", ".join(f"{count} at {bits}" for bits, count in layer.rows)
        bits = "-" if layer.bits is None else f"{layer.bits:.3g}"
        shape = "x".join(map(str, layer.shape)) or "-"
        table.add_row(*map(shown, (layer.name, layer.op, shape, f"{layer.sensitivity:.3g}", bits, rows)))
    unused = (shown(f"not used: {reason}", "yellow") for reason in plan.rejected)
    return Group(road_view(plan.stages), shown(head), table, *unused)
