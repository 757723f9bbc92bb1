"""The road for one user: a row whatever happens, so that others go on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import MANIFEST, QuantizedBundle
from myqasr_fx.bundle.whole import check_whole
from myqasr_fx.delta.apply import check_content
from myqasr_fx.delta.make import FOLDER
from myqasr_fx.delta.record import DeltaRecord
from myqasr_fx.errors import MyqasrError
from myqasr_fx.fit.allocation import check_feasible
from myqasr_fx.fit.base import read_base
from myqasr_fx.fit.request import fit_request
from myqasr_fx.fleet.ledger import UserRow
from myqasr_fx.fleet.users import digest_of
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.process.freed_memory import settle
from myqasr_fx.process.graph_sources import sources_forgotten
from myqasr_fx.process.library_error import first_line
from myqasr_fx.process.limits import Limits

_STAYS = "; the bundle of earlier recordings stays"


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


def check_possible(prepared: Prepared, order: Order) -> None:
    """Refuses once, before all work, what no user can have.

    Raises:
        MyqasrError: The options cannot be met on these graphs, or the base of the differences cannot be used.
    """
    check_feasible(prepared, fit_request(prepared, order.config))
    if order.config.delta is not None:
        read_base(prepared, order.config.delta, order.out)


def done_for(task: Task, prepared: Prepared, order: Order) -> UserRow:
    """The user's row: that of an earlier run where its bundle is there and of the same recordings, else a new one."""
    start, row, folder = time.perf_counter(), UserRow(task.user, "", 0.0), order.out / task.user
    try:
        row = replace(row, recordings=digest_of(task.recordings))
        known, differs = task.known, order.config.delta is not None
        if known and known.recordings == row.recordings and _is_there(folder, known, differs):
            return known
        bundle = pipeline.quantize(
            prepared, task.recordings, out=folder, config=order.config, force=True, limits=order.limits
        )
        row = _told(row, bundle)
    except MyqasrError as error:
        row = replace(row, error=f"{error}{_STAYS if (folder / MANIFEST).is_file() else ''}")
    except Exception as error:  # a defect that one user's recordings bring out is no reason to leave thousands undone
        row = replace(row, error=f"unexpected {type(error).__name__}: {first_line(error)}")
    return replace(row, seconds=round(time.perf_counter() - start, 1))


def _told(row: UserRow, bundle: QuantizedBundle) -> UserRow:
    row, verdict = replace(row, bytes=bundle.manifest.model_bytes), bundle.manifest.acceptance
    if verdict is None:
        return row
    return replace(row, verdict=verdict.verdict, agreement=verdict.agreement, kl=verdict.kl)


def _is_there(folder: Path, row: UserRow, differs: bool) -> bool:
    """The bundle of a row lies where it should, whole; with its differences from a base, if it has to have some."""
    if row.error is not None:
        return False  # what failed is tried again
    try:
        bundle = QuantizedBundle.open(folder)
        check_whole(bundle)
        if differs:
            check_content(folder / FOLDER, DeltaRecord.read(folder / FOLDER))
    except MyqasrError:
        return False
    return bundle.manifest.model_bytes == row.bytes
