"""One measure of a verdict as ``myqasr.json`` keeps it, and in the words that every page says it with."""

from __future__ import annotations

from dataclasses import dataclass

from myqasr_fx.bundle.records import check_least

HOLDS, OPEN, FAILS = "holds", "undecided", "fails"
"""The whole interval is inside the bound; some of it; nothing of it."""

AGREEMENT, KL = "agreement", "kl"

TITLES = {
    AGREEMENT: "token agreement",
    KL: "divergence",
    "changes": "words changed",
    "deletions": "words left out",
    "insertions": "words added",
}
"""Name to what readers see."""


@dataclass(frozen=True, slots=True)
class MeasureRecord:
    """One measure of the verdict and its bound.

    Args:
        name: One of ``TITLES``, a field of :class:`~myqasr_fx.bundle.verdict_record.AcceptanceRecord`.
        value: On the clips that were judged.
        low: Lower end of its 95 % interval, for speech like these clips.
        high: Upper end.
        bound: What it is held against: the least agreement, the most of anything else.
        state: ``holds``, ``undecided`` or ``fails``: the interval inside the bound, across it, outside.
    """

    name: str
    value: float
    low: float
    high: float
    bound: float
    state: str

    def __post_init__(self) -> None:
        if self.name not in TITLES:
            raise ValueError(f"name: {self.name[:40]!r}, expected one of {', '.join(TITLES)}")
        if self.state not in (HOLDS, OPEN, FAILS):
            raise ValueError(f"state: {self.state[:40]!r}, expected {HOLDS}, {OPEN} or {FAILS}")
        check_least(self, ("value", "low", "bound"))
        if self.high < self.low:
            raise ValueError(f"high: {self.high}, expected at least low, {self.low}")

    @property
    def title(self) -> str:
        """What it is called."""
        return TITLES[self.name]

    @property
    def inside(self) -> bool:
        """The value itself, whatever its interval, keeps to the bound."""
        return self.value >= self.bound if self.name == AGREEMENT else self.value <= self.bound

    @property
    def side(self) -> str:
        """On which side of the bound it has to stay."""
        return "at least" if self.name == AGREEMENT else "at most"

    def shown(self, value: float) -> str:
        """A value of it, with its unit."""
        return f"{value:.4f} nats" if self.name == KL else f"{value:.2%}"

    @property
    def told(self) -> str:
        """All of it in a line."""
        value, low, high = map(self.shown, (self.value, self.low, self.high))
        unit = " nats" if self.name == KL else ""
        ends = f"[{low.removesuffix(unit)}, {high.removesuffix(unit)}]{unit}"
        return f"{self.title} {value} {ends}, expected {self.side} {self._bound}"

    @property
    def _bound(self) -> str:
        return f"{self.bound:g} nats" if self.name == KL else f"{self.bound:.2%}"
