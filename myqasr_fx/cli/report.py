"""``myqasr report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.visible import shown

Bundles = Annotated[list[Path], Argument(metavar="BUNDLE", help="Folders that `myqasr quantize` wrote.")]
Out = Annotated[Path | None, Option("--out", help="File to write. [default: report.html, in a single bundle's folder]")]
Evaluations = Annotated[
    list[Path] | None, Option("--evaluation", help="What `myqasr evaluate --json` printed; may repeat.")
]
Private = Annotated[
    bool, Option("--private", help="Leave transcripts out; of a bundle's report.json too, without --out.")
]
Force = Annotated[bool, Option("--force", help="Replace an existing file.")]


def report(
    bundles: Bundles,
    *,
    out: Out = None,
    evaluation: Evaluations = None,
    private: Private = False,
    force: Force = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Write the report of a bundle, or one that compares several."""
    from myqasr_fx.report.command import make_report

    path = make_report(bundles, out, evaluation or (), private, force)
    return Answer({"report": str(path), "bytes": path.stat().st_size}, shown(str(path)))
