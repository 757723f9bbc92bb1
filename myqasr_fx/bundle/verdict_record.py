"""The verdict as ``myqasr.json`` keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from myqasr_fx.bundle.records import check_least

ACCEPTED, REJECTED = "accepted", "rejected"


@dataclass(frozen=True, slots=True)
class AcceptanceRecord:
    """How the bundle compares with the full-precision model on unlabelled speech.

    Args:
        verdict: ``accepted`` or ``rejected``.
        failed: Each bound that does not hold, in words.
        held_out: True when the clips were kept out of the calibration.
        note: What limits the verdict; None when nothing does.
        clips: Clips compared.
        seconds: Their length together.
        sha256: Of their samples.
        positions: Positions compared teacher-forced: tokens and their ends, or frames of a CTC model.
        agreement: Share of positions with the same best token.
        agreement_ci95: Its 95 % interval, clips resampled; None for a single clip.
        kl: Mean Kullback-Leibler divergence from full precision, nats a position.
        words: Words of the full-precision transcripts.
        substitutions: Words written differently, a word of the full-precision transcripts.
        deletions: Words left out, likewise.
        insertions: Words added, likewise.
        changes_ci95: 95 % interval of the sum of these three, clips resampled; None for a single clip.
        loops: Clips whose transcript repeats itself where the full-precision one does not.
        blanks: Clips without a word where the full-precision transcript has some.
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

    def __post_init__(self) -> None:
        if self.verdict not in (ACCEPTED, REJECTED):
            raise ValueError(f"verdict: {self.verdict[:40]!r}, expected {ACCEPTED} or {REJECTED}")
        check_least(self, ("clips",), 1)
        check_least(self, ("seconds", "positions", "words", "loops", "blanks"))
        for share in (self.agreement, *(self.agreement_ci95 or ())):
            if not 0 <= share <= 1:
                raise ValueError(f"agreement: {share}, expected 0 to 1")

    @property
    def accepted(self) -> bool:
        """True when every bound holds."""
        return self.verdict == ACCEPTED

    @property
    def changes(self) -> float:
        """Word errors against the full-precision transcripts, a word."""
        return self.substitutions + self.deletions + self.insertions
