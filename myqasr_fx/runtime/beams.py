"""Beam search: several texts of every clip side by side, of which the likeliest is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime.greedy import DecoderState, Written, log_sums, no_speech_of
from myqasr_fx.runtime.token_rules import TokenRules


@dataclass(slots=True)
class _Beam:
    """A text that goes on.

    Args:
        row: Of the last step.
        text: Without the prompt.
        total: Log-probability, nats.
    """

    row: int
    text: list[int]
    total: float


@dataclass(slots=True, eq=False)
class _Clip:
    """The texts of a clip: those that go on, and those that ended with their log-probabilities."""

    beams: list[_Beam]
    ended: list[tuple[list[int], float]] = field(default_factory=list)

    def goes_on(self, beams: int) -> bool:
        """Fewer texts than that have ended, and another may."""
        return bool(self.beams) and len(self.ended) < beams

    def best(self, no_speech: float | None) -> Written:
        """The likeliest by the mean of its tokens and the end; where none ended, one that did not."""
        found = self.ended or [(beam.text, beam.total) for beam in self.beams] or [([], -np.inf)]
        text, total = max(found, key=lambda one: one[1] / (len(one[0]) + 1))
        return Written(tuple(text), total / (len(text) + 1), no_speech)


def beam_decode(
    state: DecoderState, prompt: np.ndarray, settings: GenerationSettings, rules: TokenRules, beams: int
) -> list[Written]:
    """Follows the likeliest texts of every clip until as many of them have ended.

    Args:
        state: A decoder that has seen no token.
        prompt: (B, P) int64 tokens to start from.
        settings: End token and longest text, prompt included.
        rules: What may be written.
        beams: Texts of a clip.

    Source: openai/whisper, decoding.py, BeamSearchDecoder with patience 1; the end counts as a token here.
    """
    batch, length = prompt.shape
    clips = [_Clip([_Beam(row, [], 0.0)]) for row in range(batch)]
    no_speech: list[float] | list[None] = [None] * batch
    tokens, owners = prompt, list(clips)
    for position in range(length, settings.max_length):
        logits = state.step(tokens)
        if position == length:
            no_speech = no_speech_of(logits, prompt, settings)
        scores = logits[:, -1].copy()  # (rows, vocabulary)
        going = [clip for clip in clips if clip.goes_on(beams)]
        rules.apply(scores, [beam.text for clip in going for beam in clip.beams])
        log_scores = scores - log_sums(scores)[:, None]
        for clip in going:
            _extend(clip, log_scores, settings.eos_token_id, beams)
        followed = [beam for clip in going if clip.goes_on(beams) for beam in clip.beams]
        if not followed:
            break
        rows = np.array([beam.row for beam in followed])
        heard, owners = owners, [clip for clip in going for _ in clip.beams if clip.goes_on(beams)]
        if owners == heard:
            state.reorder(rows)
        else:
            state.keep(rows)
        for row, beam in enumerate(followed):
            beam.row = row
        tokens = np.array([[beam.text[-1]] for beam in followed], np.int64)
    return [clip.best(probability) for clip, probability in zip(clips, no_speech, strict=True)]


def _extend(clip: _Clip, log_scores: np.ndarray, end: int, beams: int) -> None:
    """Replaces the beams by the likeliest texts of one token more; what ends before they are found has ended."""
    totals = np.array([[beam.total] for beam in clip.beams]) + log_scores[[beam.row for beam in clip.beams]]
    most = min(2 * beams, totals.size)  # each beam ends once at most
    likeliest = np.argpartition(-totals, most - 1, axis=None)[:most]
    likeliest = likeliest[np.argsort(-totals.flat[likeliest], kind="stable")]
    found: list[_Beam] = []
    for flat in likeliest:
        index, token = divmod(int(flat), totals.shape[1])
        beam, total = clip.beams[index], float(totals[index, token])
        if len(found) == beams or total == -np.inf:
            break
        if token == end:
            clip.ended.append((beam.text, total))
        else:
            found.append(_Beam(beam.row, [*beam.text, token], total))
    clip.beams = found
