"""``myqasr models``."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.next_steps import unbroken
from myqasr_fx.cli.visible import shown
from myqasr_fx.options.units import format_size

_WORDS = (
    "float32: 4 bytes for each number; files of full precision take less, as they",
    "store in float16 what was published so. budgets from: with default options",
)


def models(*, as_json: JsonFlag = False, debug: DebugFlag = False) -> Answer:
    """List the built-in models, their sizes and the budgets they can meet."""
    from myqasr_fx.models.builtin import BUILTIN_MODELS

    rows = [
        {
            "name": name,
            "hub_id": model.hub_id,
            "parameters": model.parameters,
            "full_bytes": model.full_bytes,
            "smallest_bytes": model.smallest_bytes,
            "installed": model.installed,
            "distributions": list(model.distributions),
        }
        for name, model in BUILTIN_MODELS.items()
    ]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("model", "float32", "budgets from", "weights"):
        table.add_column(column, no_wrap=True)
    for name, model in BUILTIN_MODELS.items():
        where = "installed" if model.installed else "to install"
        table.add_row(Text(name), format_size(model.full_bytes), f"{model.smallest_bytes // 10**6}MB", Text(where))
    missing = [model for model in BUILTIN_MODELS.values() if not model.installed]
    commands = [unbroken("", 1, f"pip install {' '.join(model.distributions)}") for model in missing]
    return Answer({"models": rows}, Group(table, *(shown(line, "dim") for line in _WORDS), *commands))
