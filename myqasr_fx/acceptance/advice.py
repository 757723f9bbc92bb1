"""What would help a bundle that is not accepted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from myqasr_fx.bundle.measure_record import AGREEMENT, HOLDS, KL, MeasureRecord
from myqasr_fx.options.units import format_seconds

MOST_BITS = 8.0
"""A weight, scales included: beyond that, bytes are not what is missing."""

LEAST_BITS = 0.05
"""A weight: fewer more decide nothing."""

MORE_RECORDINGS = "more recordings, which choose better codes and make the verdict surer"


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did, as far as another one could do more.

    Args:
        hardest: True when no effort looks longer for codes.
        model_bytes: Of the files, or of what a budget counts instead.
        num_weights: Weights in layers.
        holdout: Share of the clips that is to be held out.
        max_clips: Most clips to use.
        enough: Clips from which on some are held out.
        integer_inputs: Inputs of all products are rounded to 8 bits.
        sized: A budget decides how wide layers are.
        unused: Bytes of the budget that no width within the asked bounds takes.
        frozen: Widths and codes are those of another bundle.
    """

    hardest: bool
    model_bytes: int
    num_weights: int
    holdout: float
    max_clips: int
    enough: int
    integer_inputs: bool = False
    sized: bool = True
    unused: int = 0
    frozen: bool = False


def to_decide(run: Run, judged: tuple[int, float, bool], more_seconds: float | None) -> tuple[str, ...]:
    """How an uncertain verdict would become certain.

    Args:
        run: What was done.
        judged: Clips that were judged, their seconds together, and whether they were held out.
        more_seconds: Further speech to judge on, of :func:`~myqasr_fx.acceptance.measures.more_speech`.
    """
    clips, seconds, held_out = judged
    if more_seconds is None:
        return ("more speech is not expected to decide: a figure is too close to its bound",)
    share = run.holdout or 0.25
    wanted = math.ceil(clips * (1 + more_seconds / seconds))
    given = max(math.ceil(wanted / share), run.enough)
    options = [f"--max-clips {given}"] if given > run.max_clips else []
    options += [] if run.holdout else [f"--holdout {share:g}"]
    speech = format_seconds(more_seconds if held_out else wanted * seconds / clips)
    recordings = format_seconds(more_seconds / share if held_out else given * seconds / clips)
    return (
        f"about {speech} {'more' if held_out else 'of'} held-out speech would decide: give {recordings} "
        f"of {'further ' if held_out else ''}recordings{', with ' + ' '.join(options) if options else ''}",
    )


def to_mend(run: Run, found: Sequence[MeasureRecord]) -> tuple[str, ...]:
    """What to try with a rejected bundle, in this order: inputs in float, more effort, more bytes, more recordings.

    Args:
        run: What was done.
        found: All measures.
    """
    if run.frozen:
        return "without --delta, widths and codes are chosen for these recordings, too", MORE_RECORDINGS
    tips = ["--activations float: inputs rounded to 8 bits lose words at any width"] if run.integer_inputs else []
    tips += [] if run.hardest else ["--effort high looks longer for codes, in the same bytes"]
    return (*tips, *_more_bytes(run, found), MORE_RECORDINGS)


def _more_bytes(run: Run, found: Sequence[MeasureRecord]) -> tuple[str, ...]:
    """How layers would get wider, where that is expected to help."""
    room = MOST_BITS - 8 * run.model_bytes / run.num_weights
    bits = min(max((_bits(m) for m in found if m.state != HOLDS), default=1.0), room)
    if bits <= LEAST_BITS or not run.sized:
        return ()
    if run.unused:
        return (f"a higher --max-bits or --max-spread: {run.unused:,} bytes of the budget are left",)
    more = math.ceil(bits * run.num_weights / 8)
    return (
        f"--budget {_size(run.model_bytes + more)} (+{more:,} bytes), by the rule of thumb that one bit more a "
        "weight divides the divergence by four and the words and tokens that differ by two",
    )


def _size(wanted: int) -> str:
    """Bytes as a budget, rounded up to three figures or so."""
    if wanted < 10_000_000:
        return f"{math.ceil(wanted / 1000)}KB"
    return f"{math.ceil(wanted / 100_000) / 10:g}MB"


def _bits(measure: MeasureRecord) -> float:
    """Bits more a weight after which the interval is expected inside the bound."""
    got, bound = measure.high, measure.bound
    if measure.name == AGREEMENT:
        got, bound = 1 - measure.low, 1 - measure.bound
    if got <= bound:
        return 0.0
    return math.inf if bound <= 0 else math.log(got / bound, 4 if measure.name == KL else 2)
