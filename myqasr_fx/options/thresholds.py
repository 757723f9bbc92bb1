"""What a quantized model must hold to be accepted."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite

from myqasr_fx.errors import OptionError


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds on what is measured against the full-precision model; a bound that is just met is met.

    The first four are for what the bundle does on speech like the clips, of which a verdict knows an interval: all of
    it has to be inside. So they are wider than what the figures of an accepted bundle look like. The defaults were
    chosen on development speakers with both kinds of wrong verdict in view (``benchmarks/acceptance_rates.py``).

    Args:
        min_agreement: Smallest share of positions with the same best token, teacher-forced.
        max_kl: Largest mean Kullback-Leibler divergence, nats a position, teacher-forced.
        max_deletions: Most words left out, a word of the full-precision transcripts.
        max_insertions: Most words added, a word of the full-precision transcripts.
        max_loops: Largest share of clips whose transcript repeats itself where the full-precision one does not.
        max_blanks: Largest share of clips without a word where the full-precision transcript has some.

    Raises:
        OptionError: A bound is not a number, or is negative; a share is above 1.
    """

    min_agreement: float = 0.9
    max_kl: float = 0.07
    max_deletions: float = 0.1
    max_insertions: float = 0.1
    max_loops: float = 0.0
    max_blanks: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            share = field.name in ("min_agreement", "max_loops", "max_blanks")
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
            if not number or value < 0 or (share and value > 1):
                name = field.name.replace("_", " ")
                raise OptionError(
                    f"{name} {value!r}: expected {'0 to 1' if share else 'a number of at least 0'}",
                    hint=None if share else "a large number, such as 1000, is no bound",
                )
