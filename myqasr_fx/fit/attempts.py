"""Writes files again and again until they meet a budget and use it: each attempt learns from the one before it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol, TypeVar

from myqasr_fx.errors import BudgetError
from myqasr_fx.fit.aim import Aim, Foresee, nothing_foreseen
from myqasr_fx.fit.request import FitRequest
from myqasr_fx.process.limits import Limits

_LOG = logging.getLogger(__name__)


class Files(Protocol):
    """What an attempt wrote."""

    @property
    def model_bytes(self) -> int:
        """Bytes on the disk."""


F = TypeVar("F", bound=Files)
Write = Callable[[FitRequest, int], tuple[F, int]]
"""Writes what is asked, told the bytes that files have more than is predicted; and says what it predicted."""


def meet_budget(
    request: FitRequest, limits: Limits, write: Write[F], *, largest: bool, foresee: Foresee = nothing_foreseen
) -> F:
    """The files that meet the budget of ``request``; those of the first attempt where it has none.

    Args:
        request: What is asked of the files.
        limits: Attempts, and how much of a budget may stay unused.
        write: One attempt, each in the place of the one before it.
        largest: Of several attempts that met the budget the largest counts, else the last.
        foresee: What divided layers take beyond what is predicted for them, for an allocation with a surplus.

    Raises:
        BudgetError: The budget is infeasible.
    """
    budget = request.allocation.budget
    if budget is None or not request.counts_files:
        return write(request, 0)[0]
    aim, tried = Aim(int(budget), limits, foresee, foresee(0)), request.draft()
    met: list[tuple[int, int]] = []
    for attempt in range(1, limits.attempts + 1):
        draft = tried != request
        files, predicted = _attempt(tried, write, aim)
        size, surplus = files.model_bytes, aim.surplus
        _LOG.info("attempt %d: predicted %d bytes, wrote %d", attempt, predicted, size)
        meets = size <= aim.budget
        again = meets and bool(met) and met[-1][0] == size
        if meets:
            met.append((size, surplus))
        if not meets or predicted - size > aim.spare:
            aim.correct(size, predicted)
            if not again:  # else the correction before this one changed nothing
                continue
        if not draft:
            break
        tried = request  # the same widths, rounded for good
    if not met:
        raise BudgetError(
            f"a budget of {aim.budget:,} bytes is infeasible: the smallest files found take {size:,} bytes",
            hint="raise the budget",
        )
    chosen = max(met) if largest else met[-1]
    return files if chosen[0] == size and not draft else _again(request, write, aim.budget, chosen[1])


def _attempt(request: FitRequest, write: Write[F], aim: Aim) -> tuple[F, int]:
    """Files for this aim, or for the next lower one that leaves the smallest choices their room."""
    try:
        return write(request, aim.surplus)
    except BudgetError as error:
        if not aim.relents(error.over):
            raise
    return write(request, aim.surplus)


def _again(request: FitRequest, write: Write[F], budget: int, surplus: int) -> F:
    """The files of an attempt that met the budget, written again and rounded for good.

    Raises:
        BudgetError: They are over it.
    """
    files = write(request, surplus)[0]
    if files.model_bytes > budget:
        raise BudgetError(
            f"the files take {files.model_bytes:,} bytes, more than the {budget:,} allowed", hint="raise the budget"
        )
    return files
