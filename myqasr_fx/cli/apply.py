"""``myqasr apply``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from rich.console import Group
from typer import Argument, Option

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.options import Force
from myqasr_fx.cli.views import bundle_data, summary
from myqasr_fx.delta.apply import apply_delta

Base = Annotated[Path, Argument(metavar="BASE", help="Bundle that the delta was made from.", show_default=False)]
DeltaFolder = Annotated[
    Path, Argument(metavar="DELTA", help="Folder delta of a bundle of quantize --delta.", show_default=False)
]
Out = Annotated[Path, Option("--out", help="Folder to write; it must not exist.", show_default=False)]


def apply(
    base: Base,
    delta: DeltaFolder,
    *,
    out: Out,
    force: Force = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Make a user's bundle again, byte for byte, from a base and what quantize --delta wrote beside it."""
    bundle = apply_delta(base, delta, out, force=force)
    return Answer(bundle_data(bundle), Group(summary(bundle)))
