"""How much less than a budget the allocation is told, so that the files that come of it meet the budget."""

from __future__ import annotations

from dataclasses import dataclass

from myqasr_fx.process.limits import Limits


@dataclass(slots=True)
class Aim:
    """Corrected by every attempt.

    What was written is taken off the next estimate. The text around the payload differs between divisions of the
    layers, though, so that files that are over again and again leave more and more room.

    Args:
        budget: Bytes.
        limits: How much of it may stay unused.
        surplus: Bytes that files have more than is predicted for them.
    """

    budget: int
    limits: Limits
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
        self.surplus += written - predicted
        if written > self.budget:
            self.surplus += self._over * self.spare
            self._over += 1
