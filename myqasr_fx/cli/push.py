"""``myqasr push``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.visible import shown

BundleFolder = Annotated[Path, Argument(metavar="BUNDLE", help="Folder that quantize wrote.")]
Repository = Annotated[str, Argument(metavar="REPO", help="NAME or OWNER/NAME on the hub.")]
Public = Annotated[bool, Option("--public", help="Let everybody see a repository that is made.")]
WithReport = Annotated[bool, Option("--with-report", help="Also the reports, which hold what was said.")]


def push(
    bundle: BundleFolder,
    repo: Repository,
    *,
    public: Public = False,
    with_report: WithReport = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Upload a bundle to the Hugging Face hub; without its reports, which hold what was said, unless asked for."""
    from myqasr_fx.bundle.bundle import QuantizedBundle
    from myqasr_fx.integrations.push import push as send

    address = send(QuantizedBundle.open(bundle), repo, private=not public, with_report=with_report)
    return Answer({"repo": repo, "commit": address}, shown(address))
