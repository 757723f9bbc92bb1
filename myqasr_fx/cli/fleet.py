"""``myqasr fleet``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Option

from myqasr_fx.bundle.verdict_record import REJECTED
from myqasr_fx.cli import options as o
from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.fleet_view import Teller, fleet_view
from myqasr_fx.cli.size import asked_config
from myqasr_fx.process.progress import RichProgress

BAD_NEWS = 3
"""Some user has no bundle, or one that is rejected."""

UsersOption = Annotated[
    Path,
    Option("--users", help="A folder with one folder a user, or a JSONL file with user and audio.", show_default=False),
]
WorkersOption = Annotated[
    int | None, Option("--workers", help="Processes that share the work, on Ray.", show_default="this process")
]
RayOption = Annotated[
    str | None,
    Option("--ray", metavar="ADDRESS", help="Ray cluster: HOST:PORT, auto, or local.", show_default="local"),
]
OutOption = Annotated[Path, Option("--out", help="Folder of the bundles, one a user.", show_default=False)]


def fleet(
    model: o.Model,
    *,
    users: UsersOption,
    budget: o.Size = None,
    out: OutOption,
    effort: o.Effort = None,
    language: o.Language = None,
    recipe: o.Recipe = None,
    rules: o.Rules = None,
    layout: o.Layout = None,
    delta: o.Delta = None,
    adapt: o.Adapt = None,
    max_clips: o.MaxClips = None,
    cache: o.Cache = None,
    private: o.Private = None,
    workers: WorkersOption = None,
    ray: RayOption = None,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Quantize a model for each of many users, and go on where it stopped; exit code 3: not all have a good bundle."""
    from myqasr_fx.cli.inputs import check_inputs
    from myqasr_fx.fleet.users import find_users

    found = find_users(users, out)
    check_inputs(model, (), None, cache, False)
    config = asked_config(
        model,
        budget,
        recipe=recipe,
        effort=effort,
        rules=rules,
        language=language,
        layout=layout,
        delta=delta,
        adapt=adapt,
        max_clips=max_clips,
        cache=cache,
        private=private,
    )
    from myqasr_fx.fleet.quantize_many import run_fleet
    from myqasr_fx.fleet.workers import asked_workers

    progress = RichProgress()
    tell = Teller(progress, len(found))
    rows = run_fleet(model, found, out, config, progress, workers=asked_workers(workers, ray), tell=tell)
    bad = any(row.error is not None or row.verdict == REJECTED for row in rows)
    return Answer({"users": [asdict(row) for row in rows]}, fleet_view(rows, found, out), BAD_NEWS if bad else 0)
