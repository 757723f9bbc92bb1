"""What ``fleet`` tells: a line for each user as soon as it is done, and a table with the verdicts at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table

from myqasr_fx.bundle.verdict_record import REJECTED
from myqasr_fx.cli.next_steps import after_fleet
from myqasr_fx.cli.visible import shown, visible
from myqasr_fx.options.units import format_seconds
from myqasr_fx.process.overall import told_time

if TYPE_CHECKING:
    from myqasr_fx.fleet.ledger import UserRow
    from myqasr_fx.fleet.users import Users
    from myqasr_fx.process.progress import RichProgress

_WORDS = (
    "same tokens: of what is written of held-out clips, as at full precision",
    "nats: how far the probabilities of a token are from full precision; 0 is equal",
)


class Teller:
    """Tells each user, and about how long the others take.

    Args:
        progress: Where its lines go, above the bars.
        users: How many there are.
        now: Clock, seconds.
    """

    def __init__(self, progress: RichProgress, users: int, now: Callable[[], float] = time.monotonic) -> None:
        self._progress, self._users, self._now = progress, users, now
        self._seen = self._made = 0
        self._last, self._spent = now(), 0.0
        progress.note(f"{users} user{'s' * (users != 1)}, told one by one; interrupted, the same command goes on")

    def __call__(self, row: UserRow, fresh: bool) -> None:
        """A user is done, in this run or before."""
        self._seen += 1
        if fresh:
            self._made += 1
            self._spent += min(row.seconds, self._now() - self._last)  # several workers take less than their users
        self._last = self._now()
        left = self._users - self._seen
        rest = f", about {told_time(left * self._spent / self._made)} left" if left and self._made else ""
        before = "" if fresh else "made before, "
        line = f"{row.user}: {before}{_told(row)} ({self._seen} of {self._users}{rest})"
        self._progress.note(visible(line))


def fleet_view(rows: Sequence[UserRow], users: Users, out: Path) -> Group:
    """The table, who has no bundle and why, and what to do next."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("user", overflow="fold")
    for name in ("bytes", "same tokens", "nats", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        table.add_row(*map(shown, _cells(row)))
    made = [row for row in rows if row.error is None]
    verdicts = Counter(row.verdict or "not judged" for row in made)
    total = sum(row.bytes or 0 for row in made)
    told = "".join(f", {count} {verdict}" for verdict, count in sorted(verdicts.items()))
    lines = [*_WORDS, f"{len(made)} of {len(rows)} users have a bundle, {total:,} bytes in all{told}"]
    failed = [f"{row.user} has none: {row.error}" for row in rows if row.error is not None]
    if failed:
        failed.append("the same command tries them again, and leaves the others as they are")
    return Group(table, *map(shown, lines), *(shown(line, "yellow") for line in failed), _next(made, users, out))


def _next(made: Sequence[UserRow], users: Users, out: Path) -> Group:
    if not made:
        return Group()
    rejected = next((row.user for row in made if row.verdict == REJECTED), None)
    asked = None if rejected is None else (out / rejected, users[rejected])
    return after_fleet(out / made[0].user, asked)


def _told(row: UserRow) -> str:
    if row.error is not None:
        return f"no bundle: {row.error}"
    same = "" if row.agreement is None else f", {row.agreement:.2%} of tokens as at full precision"
    return f"{row.verdict or 'not judged'}, {row.bytes or 0:,} bytes{same}, {format_seconds(row.seconds)}"


def _cells(row: UserRow) -> Iterator[str]:
    yield row.user
    yield "-" if row.bytes is None else f"{row.bytes:,}"
    yield "-" if row.agreement is None else f"{row.agreement:.2%}"
    yield "-" if row.kl is None else f"{row.kl:.4f}"
    yield format_seconds(row.seconds)
    yield "no bundle" if row.error is not None else row.verdict or "not judged"
