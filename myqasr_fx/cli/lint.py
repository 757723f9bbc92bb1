"""``myqasr lint``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from typer import Argument

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.errors import OptionError

if TYPE_CHECKING:
    from myqasr_fx.lint.record import LintReport

SLOW_EXIT = 3
"""Some weight is dequantized on every run."""

Files = Annotated[list[Path], Argument(metavar="FILE", help="ONNX files, or folders such as a bundle.")]


def lint(files: Files, *, as_json: JsonFlag = False, debug: DebugFlag = False) -> Answer:
    """Show which low-bit weights of an ONNX file onnxruntime really runs as such; exit code 3 when not all."""
    from myqasr_fx.lint.lint import lint as lint_file

    reports = [lint_file(path) for path in _files(files)]
    data = {"files": [{**asdict(r), "run_bytes": r.run_bytes, "folded_bytes": r.folded_bytes} for r in reports]}
    return Answer(data, Group(*map(_view, reports)), SLOW_EXIT if any(r.run_bytes for r in reports) else 0)


def _files(paths: list[Path]) -> list[Path]:
    found = []
    for path in paths:
        if not path.exists():
            raise OptionError(f"{path}: no such file", hint="give an ONNX file or a folder of them")
        inside = sorted(path.rglob("*.onnx")) if path.is_dir() else [path]
        if not inside:
            raise OptionError(f"{path}: no ONNX file in this folder")
        found += inside
    return found


def _view(report: LintReport) -> RenderableType:
    from myqasr_fx.lint.record import Runs

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("node", "executed operator", "runs as"):
        table.add_column(name, no_wrap=True)
    for name in ("bits", "stored", "memory", "each run"):
        table.add_column(name, justify="right", no_wrap=True)
    for node in report.nodes:
        cells = (node.name, node.op, str(node.runs), "-" if node.bits is None else str(node.bits))
        sizes = (f"{node.stored_bytes:,}", f"{node.memory_bytes:,}", f"{node.run_bytes:,}" if node.run_bytes else "-")
        table.add_row(*map(Text, (*cells, *sizes)))
    counts = ", ".join(f"{n} {kind}" for kind in Runs if (n := report.count(kind))) or "no low-bit weights"
    head = [
        f"{report.file}: {report.bytes:,} bytes, opset {report.opset}, IR {report.ir_version}; onnxruntime "
        f"{report.onnxruntime} runs {counts}",
        f"memory: {report.memory_bytes:,} bytes of constants, {report.folded_bytes:,} more than stored by folding; "
        f"{report.run_bytes:,} bytes dequantized on every run; {report.activations} roundings of activations left",
        f"needs: opset {report.min_opset} or newer, onnxruntime {report.min_runtime} or newer",
    ]
    advice = [f"{node.name}: {node.advice}" for node in report.nodes if node.advice]
    return Group(*map(Text, head), *([table] if report.nodes else []), *(Text(line, "yellow") for line in advice))
