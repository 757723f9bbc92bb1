"""From comparisons to a verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from myqasr_fx.bundle.comparison import ClipComparison
from myqasr_fx.bundle.verdict_record import ACCEPTED, REJECTED, AcceptanceRecord
from myqasr_fx.evaluate.bootstrap import rate_interval
from myqasr_fx.measure.clip_shares import ClipShares
from myqasr_fx.options.thresholds import Thresholds

FEW_WORDS = 100
"""Words below which one word more or less moves a rate by more than a point."""


def judge(
    comparisons: Sequence[ClipComparison], shares: ClipShares, thresholds: Thresholds, enough: int
) -> AcceptanceRecord:
    """The verdict on a quantized model.

    Args:
        comparisons: One for each of ``shares.judge``.
        shares: Where the clips come from.
        thresholds: Bounds.
        enough: Clips from which on some are held out.
    """
    positions = sum(c.positions for c in comparisons)
    same = sum(c.same for c in comparisons)
    words = sum(c.edits.words for c in comparisons)
    rates = {
        "substitutions": _rate(sum(c.edits.substitutions for c in comparisons), words),
        "deletions": _rate(sum(c.edits.deletions for c in comparisons), words),
        "insertions": _rate(sum(c.edits.insertions for c in comparisons), words),
    }
    agreement = _rate(same, positions)
    kl = float(f"{sum(c.kl for c in comparisons) / positions:.3e}")  # beyond that, threads may sum in another order
    loops, blanks = sum(c.loop for c in comparisons), sum(c.blank for c in comparisons)
    clips = len(comparisons)
    measured = {"agreement": agreement, "kl": kl, **rates, "loops": loops / clips, "blanks": blanks / clips}
    failed = _failed(measured, thresholds)
    return AcceptanceRecord(
        verdict=REJECTED if failed else ACCEPTED,
        failed=failed,
        held_out=shares.held_out,
        note=_note(shares, words, enough),
        clips=clips,
        seconds=round(sum(c.seconds for c in comparisons), 3),
        sha256=hashlib.sha256("".join(clip.sha256 for clip in shares.judge).encode()).hexdigest(),
        positions=positions,
        agreement=agreement,
        agreement_ci95=_interval([c.same for c in comparisons], [c.positions for c in comparisons]),
        kl=kl,
        words=words,
        **rates,
        changes_ci95=_interval([c.edits.changes for c in comparisons], [c.edits.words for c in comparisons]),
        loops=loops,
        blanks=blanks,
    )


def _failed(measured: dict[str, float], thresholds: Thresholds) -> tuple[str, ...]:
    """The bounds that do not hold, in words."""
    agreement, least = measured["agreement"], thresholds.min_agreement
    failed = [f"token agreement {agreement:.2%}, expected at least {least:.2%}"] if agreement < least else []
    if measured["kl"] > thresholds.max_kl:
        failed.append(f"divergence {measured['kl']:.3f} nats, expected at most {thresholds.max_kl:g}")
    texts = {
        "deletions": "words left out",
        "insertions": "words added",
        "loops": "clips in a loop",
        "blanks": "blank clips",
    }
    for name, text in texts.items():
        most = getattr(thresholds, f"max_{name}")
        if measured[name] > most:
            failed.append(f"{text} {measured[name]:.2%}, expected at most {most:.2%}")
    return tuple(failed)


def _note(shares: ClipShares, words: int, enough: int) -> str | None:
    notes = []
    if not shares.held_out:
        few = len(shares.observe.clips) < enough
        why = f"fewer than {enough} clips were given" if few else "no clip was held out"
        notes.append(f"judged on clips of the calibration, since {why}: the verdict is optimistic")
    if words < FEW_WORDS:
        notes.append(f"only {words} words were heard: the rates are rough")
    return "; ".join(notes) or None


def _rate(count: int, total: int) -> float:
    """Share to six digits; of nothing, the count itself."""
    return round(count / max(total, 1), 6)


def _interval(counts: Sequence[int], totals: Sequence[int]) -> tuple[float, float] | None:
    if len(counts) < 2:
        return None
    interval = rate_interval(counts, totals)
    return round(interval.low, 6), round(interval.high, 6)
