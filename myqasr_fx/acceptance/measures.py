"""What a verdict measures, each with the bound that it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from myqasr_fx.acceptance.interval import Counted, Law
from myqasr_fx.bundle.comparison import ClipComparison
from myqasr_fx.bundle.measure_record import AGREEMENT, FAILS, HOLDS, KL, OPEN, MeasureRecord
from myqasr_fx.options.thresholds import Thresholds


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """One of them.

    Args:
        name: As in :class:`~myqasr_fx.bundle.measure_record.MeasureRecord`.
        counted: On the clips.
        bound: The least agreement, the most of anything else.
    """

    name: str
    counted: Counted
    bound: float

    def record(self, times: float = 1.0) -> MeasureRecord:
        """What holds of it.

        Args:
            times: As if there were so many times the clips.
        """
        interval = self.counted.interval(times)
        value, low, high = (self._rounded(x) for x in (self.counted.rate, interval.low, interval.high))
        low, high = min(low, value), max(high, value)
        return MeasureRecord(self.name, value, low, high, self.bound, state_of(self.name, (low, high), self.bound))

    @property
    def promising(self) -> bool:
        """True when the rate itself is inside the bound."""
        rate = self._rounded(self.counted.rate)
        return rate >= self.bound if self.name == AGREEMENT else rate <= self.bound

    def _rounded(self, value: float) -> float:
        """Shares to six digits, nats to four figures: beyond that, threads may sum in another order."""
        return float(f"{value:.3e}") if self.name == KL else round(value, 6)


def state_of(name: str, interval: tuple[float, float], bound: float) -> str:
    """Whether an interval is inside its bound, across it or outside; an end that just meets the bound is inside.

    Args:
        name: Of the measure.
        interval: Its ends.
        bound: The least agreement, the most of anything else.
    """
    low, high = interval
    inside, outside = (low >= bound, high < bound) if name == AGREEMENT else (high <= bound, low > bound)
    return HOLDS if inside else FAILS if outside else OPEN


def measures(comparisons: Sequence[ClipComparison], thresholds: Thresholds) -> tuple[Measure, ...]:
    """All of them.

    Args:
        comparisons: One a clip, at least one.
        thresholds: Bounds.
    """
    positions, words = [c.positions for c in comparisons], [c.edits.words for c in comparisons]
    agreement = Counted([c.same for c in comparisons], positions, Law.SHARE)
    nats = Counted([c.kl for c in comparisons], positions, Law.NATS)
    counts = {
        "deletions": ([c.edits.deletions for c in comparisons], thresholds.max_deletions),
        "insertions": ([c.edits.insertions for c in comparisons], thresholds.max_insertions),
    }
    return (
        Measure(AGREEMENT, agreement, thresholds.min_agreement),
        Measure(KL, nats, thresholds.max_kl),
        *(Measure(name, Counted(found, words, Law.COUNT), most) for name, (found, most) in counts.items()),
    )


def more_speech(found: Sequence[Measure], seconds: float) -> float | None:
    """Further seconds of speech to judge on after which the verdict would be certain, if the rates stay what they are.

    Widths shrink about with the root of the number of clips. All measures have to hold, or one has to fail.

    Args:
        found: All measures.
        seconds: Of the clips at hand.

    Returns:
        None where not even ``MOST_TIMES`` as much speech would do.
    """
    doubtful = [m for m in found if not m.promising]
    wanted = [_times(m) for m in doubtful or found]
    times = min(wanted) if doubtful else max(wanted)
    return None if times > MOST_TIMES else round(max(times - 1, 0) * seconds, 1)


MOST_TIMES = 32.0
"""Beyond so many times the speech, a rate is too close to its bound to be told from it."""


def _times(measure: Measure) -> float:
    """So many times the clips would decide about a measure."""
    low, high = 1.0, 1.0
    while measure.record(high).state == OPEN:
        low, high = high, 2 * high
        if low > MOST_TIMES:
            return high
    while high - low > 0.05 * low:
        middle = (low + high) / 2
        low, high = (middle, high) if measure.record(middle).state == OPEN else (low, middle)
    return high
