"""What a verdict is asked to rest on."""

from __future__ import annotations

from dataclasses import dataclass

from myqasr_fx.acceptance.advice import Run
from myqasr_fx.measure.clip_shares import ClipShares
from myqasr_fx.measure.measurements import Observed
from myqasr_fx.measure.store import Store
from myqasr_fx.options.thresholds import Thresholds


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What to judge on, and by which bounds.

    Args:
        shares: Which clips are judged.
        observed: Transcripts of those that calibrated, which need no second decoding.
        thresholds: Bounds.
        language: Code for a multilingual model; None detects it.
        store: Keeps what the full-precision model says about held-out clips: it does not depend on the budget.
        run: What another run could do more of.
        short_context: Also ask how little silence behind a clip does as well.
    """

    shares: ClipShares
    observed: Observed
    thresholds: Thresholds
    language: str | None
    store: Store
    run: Run
    short_context: bool = False
