"""Drawing a doubtful text again at higher and higher temperatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime.beams import beam_decode
from myqasr_fx.runtime.decoding import NEVER, Decoding
from myqasr_fx.runtime.greedy import Choose, DecoderState, Written, greedy_decode
from myqasr_fx.runtime.token_rules import TokenRules

Doubts = Callable[[Written], bool]
"""True for a text that is to be drawn again."""


def decode(
    start: Callable[[Sequence[int]], DecoderState],
    prompt: np.ndarray,
    settings: GenerationSettings,
    decoding: Decoding,
    doubts: Doubts,
) -> list[Written]:
    """The texts of a batch.

    Args:
        start: A decoder that has seen no token, for rows of the batch.
        prompt: (B, P) int64 tokens to start from.
        settings: Of the model.
        decoding: How the texts are found.
        doubts: Whether a text is doubtful.

    Source: openai/whisper, transcribe.py, decode_with_fallback; where every text is doubtful, the likeliest is kept.
    """
    rules = TokenRules(settings, timestamps=decoding.timestamps is not None)
    rows = range(len(prompt))
    if decoding.beams > 1:
        first = beam_decode(start(rows), prompt, settings, rules, decoding.beams)
    else:
        first = greedy_decode(start(rows), prompt, settings, rules)
    tried = [[written] for written in first]
    temperatures = () if decoding.redraws == NEVER else decoding.temperatures
    for number, temperature in enumerate(temperatures):
        again = [row for row in rows if doubts(tried[row][-1])]
        if not again:
            break
        draw = _drawing(temperature, (decoding.seed, number), len(again))
        for row, written in zip(again, greedy_decode(start(again), prompt[again], settings, rules, draw), strict=True):
            tried[row].append(Written(written.tokens, written.log_probability, written.no_speech, temperature))
    return [_chosen(texts, doubts) for texts in tried]


def _chosen(texts: Sequence[Written], doubts: Doubts) -> Written:
    """The last, unless it is doubtful too."""
    return max(texts, key=lambda text: text.log_probability) if doubts(texts[-1]) else texts[-1]


def _drawing(temperature: float, seed: tuple[int, int], rows: int) -> Choose:
    """Draws tokens; a row's do not depend on what is beside it in the batch.

    The highest of scores with Gumbel noise is a draw by their softmax.
    """
    random = [np.random.default_rng(seed) for _ in range(rows)]

    def draw(scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
        noise = np.stack([random[row].gumbel(size=scores.shape[1]) for row in rows])
        found: np.ndarray = (scores / temperature + noise).argmax(axis=-1)
        return found

    return draw
