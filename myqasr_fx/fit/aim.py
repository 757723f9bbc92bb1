"""How much less than a budget the allocation is told, so that the files that come of it meet the budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from myqasr_fx.errors import BudgetError
from myqasr_fx.process.limits import Limits

Foresee = Callable[[int], int]
"""From a surplus that an allocation is told to what the layers take that it divides; where none is, a BudgetError."""

_TRIES = 8


def nothing_foreseen(surplus: int) -> int:
    """Of files whose text is always the same."""
    return 0


@dataclass(slots=True)
class Aim:
    """Corrected by every attempt.

    What was written is taken off the next estimate. The text around the payload differs between divisions of the
    layers, though: what is foreseen of it is told apart from the rest, and files that are over again and again leave
    more and more room.

    Args:
        budget: Bytes.
        limits: How much of it may stay unused.
        foresee: How much of a surplus comes of divided layers.
        surplus: Bytes that files have more than is predicted for them.
    """

    budget: int
    limits: Limits
    foresee: Foresee = nothing_foreseen
    surplus: int = 0
    _over: int = 0

    @property
    def spare(self) -> int:
        """Bytes of the budget that may stay unused."""
        return int(max(self.limits.spare * self.budget, self.limits.spare_bytes))

    def relents(self, over: int) -> bool:
        """Takes back what the smallest choices have no room for: they are divided less than the files were.

        Args:
            over: Bytes by which these are over the budget, the surplus included.

        Returns:
            False when they were over it without a surplus.
        """
        if not 0 < over <= self.surplus:
            return False
        self.surplus -= over
        return True

    def correct(self, written: int, predicted: int) -> None:
        """Takes note of one attempt.

        Args:
            written: Bytes on the disk.
            predicted: By the rule that allocated them, the surplus included.
        """
        self.surplus = self._settled(written - predicted + self.surplus - self.foresee(self.surplus))
        if written > self.budget:
            self.surplus += self._over * self.spare
            self._over += 1

    def _settled(self, rest: int) -> int:
        """A surplus that is this rest and what is foreseen with it, or hardly more.

        With another surplus layers are divided otherwise, so this is looked for: up where it is too little, and else
        halfway down.
        """
        surplus, found, least = rest + self.foresee(self.surplus), None, 0
        for _ in range(_TRIES):
            try:
                needed = rest + self.foresee(surplus)
            except BudgetError:  # which an attempt relents from
                break
            if needed <= surplus and (found is None or surplus - needed < least):
                found, least = surplus, surplus - needed
            if 0 <= surplus - needed <= self.spare:
                break
            surplus = needed if needed > surplus else (surplus + needed) // 2
        return surplus if found is None else found
