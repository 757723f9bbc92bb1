"""How little silence behind a clip does: the shortest margin that keeps what the bundle holds in 30 s."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from myqasr_fx.acceptance.advice import Run
from myqasr_fx.acceptance.compare import Heard, compare_clip, written
from myqasr_fx.acceptance.judge import Judged, judge
from myqasr_fx.bundle.comparison import ClipComparison
from myqasr_fx.bundle.context_record import SPEECH, ContextRecord, TriedContext
from myqasr_fx.bundle.measure_record import AGREEMENT
from myqasr_fx.bundle.verdict_record import VERDICTS, AcceptanceRecord
from myqasr_fx.errors import OptionError
from myqasr_fx.evaluate.wer import Normalizer
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.thresholds import Thresholds
from myqasr_fx.runtime import Context, WhisperRuntime

MARGINS = (32, 64, 128, 256, 512)
"""Frames of 20 ms, 0.6 to 10 s."""

COUNTED_MARGINS = MARGINS[1:]
"""Those where silence counts: the shortest changed more words on development speech."""

SELDOM = 4
"""At most one clip of so many may be heard twice."""


@dataclass(slots=True, eq=False)
class _Tried:
    """One margin.

    Args:
        runtime: Hears with it.
        comparisons: One for each clip so far.
        heard_again: Clips among them.
    """

    runtime: WhisperRuntime
    comparisons: list[ClipComparison] = field(default_factory=list)
    heard_again: int = 0


class ShortContexts:
    """The quantized model in every margin.

    Args:
        candidate: That hears 30 s.
        silence: Frames of silence that one stands for in its graphs.
    """

    def __init__(self, candidate: WhisperRuntime, silence: int | None = None) -> None:
        self._silence = silence
        margins = MARGINS if silence is None else COUNTED_MARGINS
        contexts = {margin: Context.of(silence, margin) for margin in margins}
        self._tried = {margin: _Tried(replace(candidate, context=context)) for margin, context in contexts.items()}

    def encode(self, item: Heard) -> None:
        """Runs the encoder alone, in every margin."""
        for tried in self._tried.values():
            tried.runtime.encoded(item.clip.samples)

    def hear(self, item: Heard, expected: np.ndarray, normalizer: Normalizer) -> None:
        """Compares all with full precision on one clip; see :func:`~myqasr_fx.acceptance.compare.compare_clip`."""
        for tried in self._tried.values():
            got = written(tried.runtime, item)
            tried.heard_again += got.heard_again
            tried.comparisons.append(compare_clip(item, expected, tried.runtime, got, normalizer))

    def record(self, full: AcceptanceRecord, judged: Judged, thresholds: Thresholds, run: Run) -> ContextRecord:
        """The margin to take.

        Args:
            full: The verdict in 30 s.
            judged: The clips.
            thresholds: Bounds of the verdict.
            run: What another run could do more of.
        """
        verdicts = {m: judge(tried.comparisons, judged, thresholds, run) for m, tried in self._tried.items()}
        kept = (margin for margin, verdict in verdicts.items() if self._pays(margin) and keeps(verdict, full))
        tried = tuple(
            TriedContext(margin, v.verdict, v.agreement, v.kl, round(v.changes, 6), self._tried[margin].heard_again)
            for margin, v in verdicts.items()
        )
        return ContextRecord(next(kept, None), Context.of(self._silence).least, tried, self._silence)

    def _pays(self, margin: int) -> bool:
        """Few clips are heard twice, which takes longer than hearing them in 30 s at once."""
        tried = self._tried[margin]
        return tried.heard_again * SELDOM <= len(tried.comparisons)


def check_context(context: str, speech: SpeechModel) -> None:
    """Refuses a context for a model that has none.

    Raises:
        OptionError: It hears a recording as long as it is.
    """
    if context == SPEECH and speech.generation is None:
        raise OptionError(
            f"context {context}: {speech.name} is a CTC model, which hears a recording as long as it is",
            hint="leave the option out",
        )


def keeps(short: AcceptanceRecord, full: AcceptanceRecord) -> bool:
    """True when a verdict is no worse, and so is every measure that is beyond its bound.

    Args:
        short: In a shorter context.
        full: In 30 s, on the same clips.
    """
    if VERDICTS.index(short.verdict) > VERDICTS.index(full.verdict):
        return False
    for own, other in zip(short.measures, full.measures, strict=True):
        sign = -1 if own.name == AGREEMENT else 1
        if sign * own.value > sign * own.bound and sign * own.value > sign * other.value:
            return False
    return True
