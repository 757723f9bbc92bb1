"""From comparisons to a verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from myqasr_fx.acceptance.advice import Run, to_decide, to_mend
from myqasr_fx.acceptance.interval import Counted, Law
from myqasr_fx.acceptance.measures import measures, more_speech
from myqasr_fx.audio import Clip
from myqasr_fx.bundle.comparison import ClipComparison
from myqasr_fx.bundle.measure_record import FAILS, HOLDS
from myqasr_fx.bundle.verdict_record import ACCEPTED, REJECTED, UNCERTAIN, AcceptanceRecord
from myqasr_fx.measure.clip_shares import ClipShares
from myqasr_fx.options.thresholds import Thresholds

FEW_WORDS = 100
"""Words below which one word more or less moves a rate by more than a point."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What is judged on.

    Args:
        clips: At least one.
        held_out: True when none of them calibrated.
        why: Why they did, if they did.
    """

    clips: tuple[Clip, ...]
    held_out: bool
    why: str | None = None

    @classmethod
    def of(cls, shares: ClipShares, enough: int) -> Judged:
        """The clips that the shares name.

        Args:
            shares: Of all clips.
            enough: Clips from which on some are held out.
        """
        few = len(shares.observe.clips) < enough
        why = f"fewer than {enough} clips were given" if few else "no clip was held out"
        return cls(shares.judge, shares.held_out, None if shares.held_out else why)


def judge(comparisons: Sequence[ClipComparison], judged: Judged, thresholds: Thresholds, run: Run) -> AcceptanceRecord:
    """The verdict on a quantized model.

    Args:
        comparisons: One for each clip that is judged.
        judged: Those clips.
        thresholds: Bounds.
        run: What another run could do more of.
    """
    found = measures(comparisons, thresholds)
    records = tuple(measure.record() for measure in found)
    by_name = {record.name: record for record in records}
    stuck = _stuck(comparisons, thresholds)
    failed = (*(record.told for record in records if record.state == FAILS), *stuck)
    sure = all(record.state == HOLDS for record in records)
    verdict = REJECTED if failed else ACCEPTED if sure else UNCERTAIN
    seconds, words = sum(c.seconds for c in comparisons), [c.edits.words for c in comparisons]
    more = more_speech(found, seconds) if verdict == UNCERTAIN else None
    advice: tuple[str, ...] = ()
    if verdict != ACCEPTED:
        on = (len(comparisons), seconds, judged.held_out)
        advice = to_mend(run, records) if failed else to_decide(run, on, more)
    changes = Counted([c.edits.changes for c in comparisons], words, Law.COUNT)
    interval = changes.interval()
    return AcceptanceRecord(
        verdict=verdict,
        failed=failed,
        held_out=judged.held_out,
        note=_note(judged, sum(words)),
        clips=len(comparisons),
        seconds=round(seconds, 3),
        sha256=hashlib.sha256("".join(clip.sha256 for clip in judged.clips).encode()).hexdigest(),
        positions=sum(c.positions for c in comparisons),
        agreement=by_name["agreement"].value,
        agreement_ci95=(by_name["agreement"].low, by_name["agreement"].high),
        kl=by_name["kl"].value,
        words=sum(words),
        substitutions=_rate(sum(c.edits.substitutions for c in comparisons), sum(words)),
        deletions=by_name["deletions"].value,
        insertions=by_name["insertions"].value,
        changes_ci95=(round(interval.low, 6), round(interval.high, 6)),
        loops=sum(c.loop for c in comparisons),
        blanks=sum(c.blank for c in comparisons),
        measures=records,
        more_seconds=more,
        judged=tuple(clip.sha256 for clip in judged.clips),
        advice=advice,
    )


def _stuck(comparisons: Sequence[ClipComparison], thresholds: Thresholds) -> tuple[str, ...]:
    """Clips in a loop and blank ones beyond their bounds, in words: each is a failure by itself, not a rate."""
    counts = {"clips in a loop": sum(c.loop for c in comparisons), "blank clips": sum(c.blank for c in comparisons)}
    most = (thresholds.max_loops, thresholds.max_blanks)
    shares = {text: count / len(comparisons) for text, count in counts.items()}
    return tuple(
        f"{text} {share:.2%}, expected at most {bound:.2%}"
        for (text, share), bound in zip(shares.items(), most, strict=True)
        if share > bound
    )


def _note(judged: Judged, words: int) -> str | None:
    notes = []
    if not judged.held_out:
        notes.append(f"judged on clips of the calibration, since {judged.why}: the verdict is optimistic")
    if words < FEW_WORDS:
        notes.append(f"only {words} words were heard: the rates are rough")
    return "; ".join(notes) or None


def _rate(count: int, total: int) -> float:
    """Share to six digits; of nothing, the count itself."""
    return round(count / max(total, 1), 6)
