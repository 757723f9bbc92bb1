"""How far a run of many stages has come, by the time that its stages usually take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Overall:
    """The whole of a run.

    A stage that another one follows is over, whether it ran or was kept from an earlier run.

    Args:
        usual: Stages in their order, and the seconds that they usually take; none where nobody knows. Only their
            proportions count: what the stages of this run took so far tells how fast it is.
        now: Clock, seconds.
    """

    usual: Mapping[str, float]
    now: Callable[[], float] = time.monotonic
    _begun: dict[str, float] = field(default_factory=dict, init=False)
    _parts: dict[str, float] = field(default_factory=dict, init=False)

    def begin(self, name: str) -> None:
        """A stage begins."""
        self._begun.setdefault(name, self.now())

    def advance(self, name: str, part: float) -> None:
        """So much of a stage is done, 0 to 1."""
        self._parts[name] = max(part, self._parts.get(name, 0.0))  # a stage may come twice

    def end(self, name: str) -> None:
        """A stage is over."""
        self._parts[name] = 1.0

    @property
    def started(self) -> float:
        """When the first stage began, by the clock."""
        return min(self._begun.values(), default=self.now())

    @property
    def done(self) -> float:
        """Share of the whole, 0 to 1."""
        return sum(map(self._worth, self.usual)) / max(sum(self.usual.values()), 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """An estimate; None before anything that takes its time is done."""
        ran = [name for name in self.usual if name in self._begun]
        worth = sum(map(self._worth, ran))
        if worth < 0.02 * sum(self.usual.values()):
            return None
        first = min(self._begun[name] for name in ran)
        return (1 - self.done) * sum(self.usual.values()) * (self.now() - first) / worth

    def _worth(self, name: str) -> float:
        """Usual seconds of what is done of a stage."""
        names = list(self.usual)
        latest = max((names.index(other) for other in self._begun if other in self.usual), default=-1)
        over = names.index(name) < latest and name not in self._begun
        return self.usual[name] * (1.0 if over else self._parts.get(name, 0.0))


def told_time(seconds: float) -> str:
    """As people say it: ``40 s``, ``2 min 10 s``, in steps of ten seconds."""
    tens = max(1, round(seconds / 10)) * 10
    return f"{tens} s" if tens < 60 else f"{tens // 60} min" + (f" {tens % 60} s" if tens % 60 else "")


def in_minutes(seconds: float) -> str:
    """The same where there is little room: whole minutes from the first one on."""
    return told_time(60 * round(seconds / 60)) if seconds >= 55 else told_time(seconds)
