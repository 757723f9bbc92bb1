"""What a model learned from the recordings before it was quantized, as ``myqasr.json`` keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from myqasr_fx.bundle.records import check_least

NONE, SELF = "none", "self"
"""What the option ``adapt`` may be: the model as it came, or one that has learned from what it wrote itself."""

LEARNED = "learned.safetensors"
"""Beside the model files of a bundle: what its files were quantized from differs from the model in these tensors."""

LEAST = 8
"""Clips with speech: fewer than four that decide say nothing."""

DIVERGENCE, ENTROPY = "divergence", "entropy"
_MEASURES = {
    DIVERGENCE: "divergence when they are changed a little (speed, gaps, noise)",
    ENTROPY: "entropy of what it expects",
}


@dataclass(frozen=True, slots=True)
class AdaptationRecord:
    """Whether what was learned is in the files, and why.

    Args:
        adopted: It is: on the clips that decided, the whole interval of the change of the measure lies below zero.
        measure: ``divergence`` of what the model expects of a clip from what it expects of the same one changed a
            little (speed, gaps, noise), or ``entropy`` of what it expects, for CTC models.
        taught: Clips that it learned from.
        taught_seconds: Their length together.
        decided: Clips, others than those, on which it was compared.
        before: The measure of the model as it came, nats a position.
        after: The same of the model that learned.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end.
        words: That the model as it came writes for the clips that decided.
        changed: Words that the one that learned writes otherwise, leaves out or adds.
        sha256: Of what is in ``LEARNED``; empty where nothing was adopted.
    """

    adopted: bool
    measure: str
    taught: int
    taught_seconds: float
    decided: int
    before: float
    after: float
    low: float
    high: float
    words: int
    changed: int
    sha256: str = ""

    def __post_init__(self) -> None:
        if self.measure not in _MEASURES:
            raise ValueError(f"measure: {self.measure[:40]!r}, expected {' or '.join(_MEASURES)}")
        check_least(self, ("taught", "decided"), 1)
        check_least(self, ("taught_seconds", "words", "changed"))
        if self.low > self.high:
            raise ValueError(f"low: {self.low}, expected at most {self.high}")

    @property
    def told(self) -> str:
        """What became of it and why, for people."""
        change = f"{self.after - self.before:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"
        why = (
            f"on {self.decided} others, {_MEASURES[self.measure]}: {self.before:.3f} nats a position as it came, "
            f"{change} after learning"
        )
        if not self.adopted:
            return f"nothing: what {self.taught} clips taught was left out, since nothing shows that it helps ({why})"
        return (
            f"from {self.taught} clips, without labels, and kept ({why}); it writes {self.changed} of {self.words} "
            "words otherwise than the model as it came; full precision means the model that has learned"
        )
