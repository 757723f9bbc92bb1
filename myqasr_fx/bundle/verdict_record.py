"""The verdict as ``myqasr.json`` keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from myqasr_fx.bundle.measure_record import MeasureRecord
from myqasr_fx.bundle.records import check_least

ACCEPTED, UNCERTAIN, REJECTED = "accepted", "uncertain", "rejected"
VERDICTS = (ACCEPTED, UNCERTAIN, REJECTED)


@dataclass(frozen=True, slots=True)
class AcceptanceRecord:
    """How the bundle compares with the full-precision model on unlabelled speech.

    Args:
        verdict: ``accepted``: every measure holds; ``rejected``: one fails, or clips in a loop or blank; else
            ``uncertain``.
        failed: Each bound that does not hold, in words.
        held_out: True when the clips were kept out of the calibration.
        note: What limits the verdict; None when nothing does.
        clips: Clips compared.
        seconds: Their length together.
        sha256: Of their samples.
        positions: Positions compared teacher-forced: tokens and their ends, or frames of a CTC model.
        agreement: Share of positions with the same best token.
        agreement_ci95: Its 95 % interval; None in bundles of earlier versions for a single clip.
        kl: Mean Kullback-Leibler divergence from full precision, nats a position.
        words: Words of the full-precision transcripts.
        substitutions: Words written differently, a word of the full-precision transcripts.
        deletions: Words left out, likewise.
        insertions: Words added, likewise.
        changes_ci95: 95 % interval of the sum of these three; None likewise.
        loops: Clips whose transcript repeats itself where the full-precision one does not.
        blanks: Clips without a word where the full-precision transcript has some.
        measures: Each with its interval and its bound; none in bundles of earlier versions.
        more_seconds: Further speech to judge on that would decide; None where the verdict is certain, or where more
            speech is not expected to decide.
        judged: SHA-256 of each clip's samples, in order.
        advice: What would help a bundle that is not accepted, most useful first.
    """

    verdict: str
    failed: tuple[str, ...]
    held_out: bool
    note: str | None
    clips: int
    seconds: float
    sha256: str
    positions: int
    agreement: float
    agreement_ci95: tuple[float, float] | None
    kl: float
    words: int
    substitutions: float
    deletions: float
    insertions: float
    changes_ci95: tuple[float, float] | None
    loops: int
    blanks: int
    measures: tuple[MeasureRecord, ...] = ()
    more_seconds: float | None = None
    judged: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict: {self.verdict[:40]!r}, expected {', '.join(VERDICTS)}")
        check_least(self, ("clips",), 1)
        check_least(self, ("seconds", "positions", "words", "loops", "blanks", "more_seconds"))
        for share in (self.agreement, *(self.agreement_ci95 or ())):
            if not 0 <= share <= 1:
                raise ValueError(f"agreement: {share}, expected 0 to 1")

    @property
    def rejected(self) -> bool:
        """True when a bound does not hold."""
        return self.verdict == REJECTED

    @property
    def changes(self) -> float:
        """Word errors against the full-precision transcripts, a word."""
        return self.substitutions + self.deletions + self.insertions
