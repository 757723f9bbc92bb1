"""What a sensitivity metric is: which values of a layer it looks at, and the number it makes of them.

All three families of the paper (statistics, gradients, distances) read the same frozen statistics; only the observed
values differ, see ``passes.needs``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from passes.needs import NOTHING, Needs, Role
from passes.observe.activation_stats import OUTPUT, ActivationStats


@dataclass(frozen=True, slots=True)
class Metric:
    """A number from what was observed of a layer; larger is more sensitive.

    Args:
        of: Statistics of the observed values to the sensitivity.
        role: Of those values.
    """

    of: Callable[[ActivationStats], float]
    role: Role = OUTPUT

    @property
    def needs(self) -> Needs:
        """What has to be measured for it."""
        return NOTHING if self.role == OUTPUT else Needs(roles=frozenset({self.role}))
