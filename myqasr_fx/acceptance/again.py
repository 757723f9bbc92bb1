"""The clips that a bundle's verdict rests on, found among recordings and heard by both models again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from myqasr_fx.acceptance.assess import Contenders
from myqasr_fx.acceptance.compare import Heard, compare
from myqasr_fx.acceptance.hear import decoded
from myqasr_fx.audio import Clip
from myqasr_fx.bundle.comparison import ClipComparison
from myqasr_fx.bundle.verdict_record import AcceptanceRecord
from myqasr_fx.process.limits import Limits
from myqasr_fx.runtime import Transcript


def judged_clips(record: AcceptanceRecord | None, clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """Those of the verdict, in its order; none when one of them is not there, or when the bundle does not name them.

    Args:
        record: The verdict.
        clips: Where to look for them.
    """
    known = {clip.sha256: clip for clip in clips}
    judged = () if record is None else record.judged
    return tuple(known[sha] for sha in judged) if all(sha in known for sha in judged) else ()


def compared_again(
    contenders: Contenders, clips: Sequence[Clip], language: str | None
) -> Iterator[tuple[Transcript, ClipComparison]]:
    """What full precision writes for each clip, and what the verdict compares.

    Args:
        contenders: The two models.
        clips: To hear.
        language: Code for a multilingual model; None detects it.
    """
    reference = contenders.reference(twice=True)
    said = decoded(reference, clips, language, Limits().batch)
    heard = tuple(map(Heard, clips, said))
    yield from zip(said, compare(reference, contenders.candidate(), heard, contenders.normalizer), strict=True)
