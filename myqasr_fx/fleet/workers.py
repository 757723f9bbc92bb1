"""Who does the work where it is not this process."""

from __future__ import annotations

from dataclasses import dataclass

from myqasr_fx.options.checks import expect, is_int

LOCAL = "local"
"""Address of no cluster: processes of this machine alone."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Processes on Ray.

    Args:
        address: Of a cluster, ``auto`` for the one that runs on this machine, ``local`` for none.
        count: How many; None takes one a core.
    """

    address: str = LOCAL
    count: int | None = None

    def __post_init__(self) -> None:
        if self.count is not None:
            expect(is_int(self.count, 1), "workers", self.count, "at least 1")


def asked_workers(count: int | None, address: str | None) -> Workers | None:
    """What the two options mean together; None is the work in this process.

    Raises:
        OptionError: The number is below 1.
    """
    return None if count is None and address is None else Workers(address or LOCAL, count)
