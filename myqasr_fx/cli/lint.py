"""``myqasr lint``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from typer import Argument

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.fitting import Fitting, in_two_lines, with_words_below
from myqasr_fx.cli.notices import notice
from myqasr_fx.cli.visible import shown, visible
from myqasr_fx.errors import MyqasrError, OptionError

if TYPE_CHECKING:
    from myqasr_fx.lint.record import LintedNode, LintReport

MOST_FOLDED = 6
"""Rows of folded tensors: the scales of every layer are, and each takes little."""

NAMED = 3
"""Weights that a piece of advice names."""

SLOW_EXIT = 3
"""Some weight is dequantized on every run."""

BROKEN_EXIT = 2
"""Some file cannot be read or run, whatever the others are."""

Files = Annotated[
    list[Path],
    Argument(
        metavar="FILE", help="ONNX files, or folders such as a bundle; broken files are passed over, with exit code 2."
    ),
]


def lint(files: Files, *, as_json: JsonFlag = False, debug: DebugFlag = False) -> Answer:
    """Show which low-bit weights of an ONNX file onnxruntime runs as such; exit code 3: one is unpacked each run."""
    from myqasr_fx.lint.lint import lint as lint_file

    reports, broken, found = [], list[MyqasrError](), _files(files)
    for path in found:
        try:
            reports.append(lint_file(path))
        except MyqasrError as error:
            broken.append(error)
    if broken and len(found) == 1:
        raise broken[0]
    for failure in broken:
        notice(f"not used: {failure}")
    data = {
        "files": [{**asdict(r), "run_bytes": r.run_bytes, "folded_bytes": r.folded_bytes} for r in reports],
        "not_used": [str(error) for error in broken],
    }
    slow = SLOW_EXIT if any(r.run_bytes for r in reports) else 0
    return Answer(data, Group(*map(_view, reports)), BROKEN_EXIT if broken else slow)


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

    table = Fitting(_table(report, narrow=False), _table(report, narrow=True))
    counts = ", ".join(f"{n} x {kind}" for kind in Runs if (n := report.count(kind))) or "no low-bit weights"
    head = [
        f"{report.file}: {report.bytes:,} bytes, opset {report.opset}, IR {report.ir_version}; on onnxruntime "
        f"{report.onnxruntime}: {counts}",
        f"memory: {report.memory_bytes:,} bytes of constants, {report.folded_bytes:,} more than stored by folding; "
        f"{report.run_bytes:,} bytes dequantized on every run; {report.activations} roundings of activations left",
        f"needs: {_opset(report)}onnxruntime {report.min_runtime} or newer",
    ]
    return Group(*map(shown, head), *([table] if report.nodes else []), *(shown(x, "yellow") for x in _advice(report)))


def _opset(report: LintReport) -> str:
    """That a file asks for one; operators of other domains, such as MatMulNBits, ask for none."""
    return f"opset {report.min_opset} or newer, " if report.min_opset > 1 else ""


def _table(report: LintReport, *, narrow: bool) -> Table:
    """A row a weight; a narrow one has what is no number below the weight's name."""
    from myqasr_fx.lint.record import Runs

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0) if narrow else (0, 1))
    table.add_column("stored weight", overflow="fold")
    for name in () if narrow else ("executed operator", "runs as"):
        table.add_column(name, no_wrap=True)
    for name in ("bits", "stored", "memory", "each run"):
        table.add_column(name, justify="right", no_wrap=True)
    for kind in (Runs.EACH_RUN, Runs.KERNEL, Runs.LOOKUP, Runs.FOLDED):  # what may need a change first
        for name, *words_and_numbers in _rows([node for node in report.nodes if node.runs is kind]):
            words, numbers = words_and_numbers[:2], words_and_numbers[2:]
            first = [with_words_below(in_two_lines(visible(name)), words)] if narrow else map(shown, (name, *words))
            table.add_row(*first, *map(shown, numbers))
    return table


def _rows(nodes: list[LintedNode]) -> Iterator[tuple[str, ...]]:
    """A row a node; of many that are folded, the largest and their sum."""
    from myqasr_fx.lint.record import Runs

    shown = nodes
    if len(nodes) > MOST_FOLDED and nodes[0].runs is Runs.FOLDED:
        shown = sorted(nodes, key=lambda node: -node.memory_bytes)[: MOST_FOLDED - 1]
    for node in shown:
        sizes = (f"{node.stored_bytes:,}", f"{node.memory_bytes:,}", f"{node.run_bytes:,}" if node.run_bytes else "-")
        yield node.weight, node.op, str(node.runs), "-" if node.bits is None else str(node.bits), *sizes
    if left := [node for node in nodes if node not in shown]:
        stored, memory = sum(node.stored_bytes for node in left), sum(node.memory_bytes for node in left)
        yield f"{len(left)} smaller ones", "-", str(left[0].runs), "-", f"{stored:,}", f"{memory:,}", "-"


def _advice(report: LintReport) -> Iterator[str]:
    """One line a piece of advice, however many nodes it is for."""
    concerned: dict[str, list[str]] = {}
    for node in report.nodes:
        if node.advice:
            concerned.setdefault(node.advice, []).append(node.weight)
    for advice, weights in concerned.items():
        more = f" and {len(weights) - NAMED} more" if len(weights) > NAMED else ""
        yield f"{', '.join(weights[:NAMED])}{more}: {advice}"
