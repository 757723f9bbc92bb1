"""``myqasr fleet``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich import box
from rich.console import Group
from rich.table import Table
from typer import Option

from myqasr_fx.cli import options as o
from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.size import asked_config
from myqasr_fx.cli.visible import shown
from myqasr_fx.options.units import format_seconds
from myqasr_fx.process.progress import RichProgress

if TYPE_CHECKING:
    from myqasr_fx.fleet.ledger import UserRow

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
    max_clips: o.MaxClips = None,
    cache: o.Cache = None,
    private: o.Private = None,
    workers: WorkersOption = None,
    ray: RayOption = None,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Quantize a model for each of many users, and go on where it stopped; exit code 3: not all have a good bundle."""
    from myqasr_fx.fleet.users import find_users
    from myqasr_fx.models.names import check_name

    found = find_users(users)
    check_name(model)
    config = asked_config(
        model,
        budget,
        recipe=recipe,
        effort=effort,
        rules=rules,
        language=language,
        layout=layout,
        delta=delta,
        max_clips=max_clips,
        cache=cache,
        private=private,
    )
    from myqasr_fx.fleet.quantize_many import run_fleet
    from myqasr_fx.fleet.workers import asked_workers

    rows = run_fleet(model, found, out, config, RichProgress(), workers=asked_workers(workers, ray))
    bad = any(row.error is not None or row.verdict == "rejected" for row in rows)
    return Answer({"users": [asdict(row) for row in rows]}, _view(rows), BAD_NEWS if bad else 0)


def _view(rows: Sequence[UserRow]) -> Group:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("user", overflow="fold")
    for name in ("bytes", "tokens as full precision", "nats", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for row in rows:
        table.add_row(*map(shown, _cells(row)))
    made = [row for row in rows if row.error is None]
    total = sum(row.bytes or 0 for row in made)
    return Group(table, shown(f"{len(made)} of {len(rows)} users have a bundle, {total:,} bytes in all"))


def _cells(row: UserRow) -> Iterator[str]:
    yield row.user
    yield "-" if row.bytes is None else f"{row.bytes:,}"
    yield "-" if row.agreement is None else f"{row.agreement:.2%}"
    yield "-" if row.kl is None else f"{row.kl:.4f}"
    yield format_seconds(row.seconds)
    yield row.error or row.verdict or "not judged"
