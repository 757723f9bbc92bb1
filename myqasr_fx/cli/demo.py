"""``myqasr demo``."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Group
from rich.table import Table
from rich.text import Text
from typer import Option

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.options import Force
from myqasr_fx.cli.views import bundle_data, summary
from myqasr_fx.progress import RichProgress
from myqasr_fx.units import format_size

if TYPE_CHECKING:
    from myqasr_fx.demo import DemoResult, Reading

Keep = Annotated[Path | None, Option("--out", help="Folder to keep the bundle in; without it nothing stays.")]


def demo(*, out: Keep = None, force: Force = False, as_json: JsonFlag = False, debug: DebugFlag = False) -> Answer:
    """Quantize a built-in model to 24 MB and compare what it hears with full precision."""
    from myqasr_fx.demo import run_demo

    with tempfile.TemporaryDirectory(prefix="myqasr-demo-") as folder:
        result = run_demo(out or Path(folder, "bundle"), RichProgress(), force=force)
    data = {
        "recordings": result.recordings,
        "calibrated": result.calibrated,
        "full_precision": asdict(result.full),
        "quantized": asdict(result.quantized),
        "bundle": {**bundle_data(result.bundle), "path": None if out is None else str(out)},
    }
    place = None if out else "not kept; `myqasr demo --out DIR` keeps it"
    return Answer(data, Group(_side_by_side(result), summary(result.bundle, place)))


def _side_by_side(result: DemoResult) -> Table:
    table = Table(title="The same recordings, heard at full precision and quantized", show_lines=True)
    table.add_column("recording", no_wrap=True)
    table.add_column("full precision", ratio=1)
    table.add_column("quantized", ratio=1)
    for index, name in enumerate(result.recordings):
        label = f"{name}\n{'calibrated on' if index < result.calibrated else 'not seen before'}"
        table.add_row(label, Text(result.full.texts[index]), Text(result.quantized.texts[index]))
    table.add_row("bytes", *(f"{r.bytes:,} ({format_size(r.bytes)})" for r in (result.full, result.quantized)))
    table.add_row("speed", _speed(result.full, "torch"), _speed(result.quantized, "onnxruntime"))
    return table


def _speed(reading: Reading, engine: str) -> str:
    return f"{1 / reading.rtf:.1f} times real time ({engine})"
