"""``myqasr init``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from rich.console import Group
from typer import Argument, Option

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.visible import shown

Model = Annotated[str, Argument(metavar="MODEL", help="Built-in name, Hugging Face or CTranslate2 folder, or hub id.")]
Out = Annotated[Path, Option("--out", help="File to write.")]
Force = Annotated[bool, Option("--force", help="Replace an existing file.")]


def init(
    model: Model,
    *,
    out: Out = Path("rules.toml"),
    force: Force = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Write a commented rules file for a model, with the names of its layers."""
    from myqasr_fx.bundle.output_file import check_file, write_file
    from myqasr_fx.models.load import load_model
    from myqasr_fx.models.prepared import prepare
    from myqasr_fx.options.rules_template import rules_template

    check_file(out, force)
    prepared = prepare(load_model(model))
    write_file(out, rules_template(prepared.speech.name, prepared.layers), force=force)
    use = shlex.join(
        ["myqasr", "quantize", model, "RECORDINGS", "--budget", "24MB", "--rules", str(out), "--out", "BUNDLE"]
    )
    return Answer({"file": str(out)}, Group(shown(str(out)), shown(f"use it: {use}")))
