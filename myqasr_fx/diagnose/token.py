"""The first token that differs, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from myqasr_fx.diagnose.record import LayerDiagnosis, TokenDiagnosis
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Transcript

CLOSE = 0.25
"""Share of the usual margin below which two tokens count as nearly tied."""

Logits = tuple[np.ndarray, np.ndarray, np.ndarray]
"""(L, vocabulary) of full precision, of fake-quantized weights and of the bundle."""


@dataclass(frozen=True, slots=True, eq=False)
class Position:
    """Where the bundle first prefers another token.

    Args:
        clip: Index of the clip.
        index: Position in it.
        expected: Token id of the full-precision model.
        got: Token id of the bundle.
        margin: Of the full-precision logits.
        rounding_margin: With fake-quantized weights.
        bundle_margin: Of the bundle.
        usual_margin: Median margin of the two best tokens at full precision.
    """

    clip: int
    index: int
    expected: int
    got: int
    margin: float
    rounding_margin: float
    bundle_margin: float
    usual_margin: float

    def margin_of(self, logits: np.ndarray) -> float:
        """By how much logits (L, vocabulary) of the clip prefer the expected token."""
        return float(logits[self.index, self.expected] - logits[self.index, self.got])


def first_difference(clips: Sequence[Logits]) -> Position | None:
    """The first position in the first clip that has one; None when every best token is the same."""
    for clip, (full, fake, bundle) in enumerate(clips):
        best, other = full.argmax(-1), bundle.argmax(-1)
        if (best == other).all():
            continue
        index = int((best != other).argmax())
        expected, got = int(best[index]), int(other[index])
        of_full, of_fake, of_bundle = (float(x[index, expected] - x[index, got]) for x in (full, fake, bundle))
        two = [np.partition(logits, -2, axis=-1)[:, -2:] for logits, _, _ in clips]
        usual = float(np.median(np.concatenate([pair[:, 1] - pair[:, 0] for pair in two])))
        return Position(clip, index, expected, got, of_full, of_fake, of_bundle, usual)
    return None


def explain(
    position: Position, speech: SpeechModel, clip: tuple[str, Transcript], layers: Sequence[LayerDiagnosis]
) -> TokenDiagnosis:
    """The position in words.

    Args:
        position: Of :func:`first_difference`.
        speech: For its tokenizer.
        clip: Name of the clip and what the full-precision model writes for it.
        layers: With margin shifts.
    """
    name, said = clip
    decoder = speech.generation is not None
    before = speech.tokenizer.decode(list(said.tokens[: position.index])) if decoder else ""
    worst = min(layers, key=lambda layer: layer.margin_shift or 0, default=None)
    layer = worst.name if worst is not None and worst.margin_shift and worst.margin_shift < 0 else None
    return TokenDiagnosis(
        clip=name,
        position=position.index,
        before=str(before),
        expected=_token(speech, position.expected),
        got=_token(speech, position.got),
        margin=round(position.margin, 4),
        usual_margin=round(position.usual_margin, 4),
        rounding_margin=round(position.rounding_margin, 4),
        bundle_margin=round(position.bundle_margin, 4),
        layer=layer,
        why=_why(position),
    )


def _why(position: Position) -> str:
    close = position.margin < CLOSE * position.usual_margin
    doubt = "full precision itself hardly prefers one" if close else "full precision is sure"
    if position.rounding_margin <= 0:
        return f"{doubt}; the rounded weights turn it"
    return f"{doubt}; the rounded weights alone keep the token, and the runtime's kernels turn it"


def _token(speech: SpeechModel, token: int) -> str:
    """As it is read, with its space; the name of one that stands for no text."""
    return str(speech.tokenizer.decode([token])) or str(speech.tokenizer.convert_ids_to_tokens([token])[0])
