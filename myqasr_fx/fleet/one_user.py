"""The road for one user: a row whatever happens, so that others go on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import MyqasrError
from myqasr_fx.fleet.ledger import UserRow
from myqasr_fx.fleet.users import digest_of
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.process.freed_memory import settle
from myqasr_fx.process.graph_sources import sources_forgotten
from myqasr_fx.process.library_error import first_line
from myqasr_fx.process.limits import Limits


@dataclass(frozen=True, slots=True)
class Task:
    """One user's part of the work; doing it twice leaves what doing it once does.

    Args:
        user: Name.
        recordings: Files and folders.
        known: What an earlier run says of the user, if anything.
    """

    user: str
    recordings: Sequence[Path]
    known: UserRow | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What all users of a fleet get.

    Args:
        out: Folder of the bundles.
        config: Resolved options, for the model at hand.
        limits: Bounds of the work.
    """

    out: Path
    config: QuantizeConfig
    limits: Limits = field(default_factory=Limits)


class Maker:
    """Does one task after the other on one model.

    Args:
        prepared: The model's graphs.
        order: What all users get.
    """

    def __init__(self, prepared: Prepared, order: Order) -> None:
        self._prepared, self._order = prepared, order
        self._settled = False

    def row(self, task: Task) -> UserRow:
        """As :func:`done_for`; what the first user leaves, such as translations, stays for the others."""
        with sources_forgotten():
            row = done_for(task, self._prepared, self._order)
        if not self._settled:
            settle()
            self._settled = True
        return row


def done_for(task: Task, prepared: Prepared, order: Order) -> UserRow:
    """The user's row: that of an earlier run where its bundle is there and of the same recordings, else a new one."""
    start, row, folder = time.perf_counter(), UserRow(task.user, "", 0.0), order.out / task.user
    try:
        row = replace(row, recordings=digest_of(task.recordings))
        if task.known and task.known.recordings == row.recordings and _is_there(folder, task.known):
            return task.known
        bundle = pipeline.quantize(
            prepared, task.recordings, out=folder, config=order.config, force=True, limits=order.limits
        )
        row = _told(row, bundle)
    except MyqasrError as error:
        row = replace(row, error=str(error))
    except Exception as error:  # a defect that one user's recordings bring out is no reason to leave thousands undone
        row = replace(row, error=f"unexpected {type(error).__name__}: {first_line(error)}")
    return replace(row, seconds=round(time.perf_counter() - start, 1))


def _told(row: UserRow, bundle: QuantizedBundle) -> UserRow:
    row, verdict = replace(row, bytes=bundle.manifest.model_bytes), bundle.manifest.acceptance
    if verdict is None:
        return row
    return replace(row, verdict=verdict.verdict, agreement=verdict.agreement, kl=verdict.kl)


def _is_there(folder: Path, row: UserRow) -> bool:
    """The bundle of a row lies where it should, whole."""
    if row.error is not None:
        return False  # what failed is tried again
    try:
        return QuantizedBundle.open(folder).manifest.model_bytes == row.bytes
    except MyqasrError:
        return False
