"""Whisper: log-mel features, encoder, decoder with its cache, text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.models.languages import is_auto, unless_auto
from myqasr_fx.runtime.aligner import Aligner, around
from myqasr_fx.runtime.chunks import CHUNK_SECONDS
from myqasr_fx.runtime.context import FULL, LONGEST, Context, same_lengths
from myqasr_fx.runtime.decoding import DOUBTFUL, GREEDY, NEVER, WORD, Decoding
from myqasr_fx.runtime.fallback import decode
from myqasr_fx.runtime.fixed_cache import FixedCache, FixedDecoder
from myqasr_fx.runtime.greedy import DecoderState, Written
from myqasr_fx.runtime.growing_cache import CachedDecoder, CacheShape
from myqasr_fx.runtime.no_speech import USUAL, NoSpeechRule, compression_ratio
from myqasr_fx.runtime.runtime import (
    GraphRunner,
    Segment,
    Transcript,
    Word,
    check_batch,
    ends_at,
    join,
    transcribe_long,
)
from myqasr_fx.runtime.timed_text import timed_tokens, unheard_from

MOST_TOGETHER = 4
"""Parts of a long recording that are decoded together: more of them take memory and hardly less time."""

TOGETHER_BYTES = 256_000_000
"""Of the keys and values of their cross-attention, at most."""

HEARD_BYTES = 450_000_000
"""The same of clips that are decoded together: beyond it a batch saves little time beside the memory that it takes."""

LEAST_SECONDS = 1.0
"""Before and behind a place where a clip is heard anew."""


@dataclass(frozen=True, slots=True, eq=False)
class WhisperRuntime:
    """A Whisper model that transcribes; see :class:`~myqasr_fx.runtime.runtime.Runtime`.

    Args:
        encoder: Graph ``encoder_model``, or ``encoder`` where the cache is fixed.
        decoder: Graph ``decoder_model_merged``, or ``decoder``.
        features: Samples (T,) of at most 30 s to (1, mel bins, frames).
        tokenizer: Of the model.
        settings: Prompt and suppressed tokens.
        cache: How the decoder keeps its keys and values.
        model_bytes: Of the model files, or of the tensors in memory.
        no_speech: When a text is dropped.
        context: How much silence the encoder hears behind a clip.
        any_length: The encoder takes less than 30 s, as those of earlier versions did not.
        decoding: How a text is found.
    """

    encoder: GraphRunner
    decoder: GraphRunner
    features: Callable[[np.ndarray], np.ndarray]
    tokenizer: Any
    settings: GenerationSettings
    cache: CacheShape | FixedCache
    model_bytes: int
    no_speech: NoSpeechRule = USUAL
    context: Context = FULL
    any_length: bool = True
    decoding: Decoding = GREEDY

    def transcribe(self, audio: str | Path | np.ndarray, language: str | None = None) -> Transcript:
        """Transcribes audio of any length."""
        if is_auto(language):
            return self.finding_out().transcribe(audio)
        together = max(1, min(MOST_TOGETHER, TOGETHER_BYTES // (self.decoding.beams * self.cache.cross_bytes)))
        finds = self.settings.is_multilingual
        return transcribe_long(self, audio, self._code(language), together=together, finds_language=finds)

    def transcribe_batch(self, clips: Sequence[np.ndarray], language: str | None = None) -> list[Transcript]:
        """Transcribes clips of at most 30 s; each has its own language when none is given.

        Raises:
            AudioError: A clip is not (T,) float32, not finite, or longer.
        """
        if is_auto(language):
            return self.finding_out().transcribe_batch(clips)
        code = self._code(language)
        check_batch(clips, CHUNK_SECONDS)
        inputs = [self.features(samples) for samples in clips]
        heard = [self.context.cut(*pair) for pair in zip(inputs, map(len, clips), strict=True)]
        found: dict[int, Transcript] = {}

        def hear(runtime: WhisperRuntime, rows: Sequence[int], features: Sequence[np.ndarray], times: int = 0) -> None:
            for place, said in runtime._hear([features[row] for row in rows], [clips[row] for row in rows], code):
                found[rows[place]] = replace(said, heard_again=times)

        shortened = [row for row, whole in enumerate(inputs) if heard[row].shape != whole.shape]
        hear(self, [row for row in range(len(clips)) if row not in shortened], heard)
        # What is doubtful in a short context is heard in the whole one before anything is drawn.
        first = replace(self.decoding, redraws=NEVER) if self.context.fallback else self.decoding
        hear(replace(self, decoding=first), shortened, heard)
        hear(self, [row for row in shortened if self.context.fallback and self._doubtful(found[row])], inputs, 1)
        return [self._with_rest(found[row], samples) for row, samples in enumerate(clips)]

    def logits(self, samples: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        """Logits of the positions that predict each of ``tokens`` and the end, in one prefill."""
        check_batch([samples], CHUNK_SECONDS)
        return self.logits_of(self.encoded(samples), tokens, language)

    def encoded(self, samples: np.ndarray) -> np.ndarray:
        """What the encoder gives for a clip (T,), for :meth:`logits_of`."""
        return self.cache.encode(self.encoder, self.context.cut(self.features(samples), len(samples)))

    def logits_of(self, states: np.ndarray, tokens: Sequence[int], language: str | None = None) -> np.ndarray:
        """As :meth:`logits`, of a clip that is encoded already."""
        decoder = self.cache.decoder(self.decoder, states)
        prompt = self.settings.prompt(self._code(language) or self._detect(decoder, 1)[0])
        return decoder.step(np.array([[*prompt, *tokens]], np.int64))[0, len(prompt) - 1 :]

    def finding_out(self) -> WhisperRuntime:
        """The same, which finds languages out whatever the model's settings tell."""
        return replace(self, settings=replace(self.settings, language=None))

    def _code(self, language: str | None) -> str | None:
        asked = unless_auto(language)
        return self.settings.language_code(asked) if asked else None

    def _hear(
        self, inputs: Sequence[np.ndarray], clips: Sequence[np.ndarray], code: str | None
    ) -> Iterator[tuple[int, Transcript]]:
        """What is said in each clip, by its position; only inputs of one length are decoded together."""
        for alike in same_lengths(inputs):
            size = self.cache.cross_bytes * inputs[alike[0]].shape[-1] // (2 * LONGEST)
            together = max(1, HEARD_BYTES // (self.decoding.beams * max(size, 1)))
            for start in range(0, len(alike), together):
                rows = alike[start : start + together]
                # One by one: the encoder gains nothing from a batch, whose attention weights would fill the memory.
                states = np.concatenate([self.cache.encode(self.encoder, inputs[row]) for row in rows])
                heard = self._write(states, [clips[row] for row in rows], code)
                yield from zip(rows, heard, strict=True)

    def _write(self, states: np.ndarray, clips: Sequence[np.ndarray], code: str | None) -> list[Transcript]:
        """What is said in clips, from the states of the encoder."""
        unused = [self.cache.decoder(self.decoder, states)]
        languages = [code] * len(clips) if code else self._detect(unused[0], len(clips))
        timed = self.decoding.timestamps is not None
        prompts = [self.settings.prompt(spoken, self.decoding.task, timestamps=timed) for spoken in languages]

        def start(rows: Sequence[int]) -> DecoderState:
            return unused.pop() if unused else self.cache.decoder(self.decoder, states[list(rows)])

        told = np.array(prompts, np.int64)
        texts = decode(start, told, self.settings, self.decoding, self._draws_again)
        said = [self._transcript(*one) for one in zip(texts, clips, languages, strict=True)]
        return [self._timed(one, states[row : row + 1]) for row, one in enumerate(said)] if timed else said

    def _doubtful(self, said: Transcript) -> bool:
        """True for no text, one that repeats itself or never ends, and one that the model is not sure of."""
        longest = self.settings.max_length - len(self.settings.prompt(said.language))
        endless = len(said.tokens) >= longest
        return not said.text or endless or self.no_speech.doubts(said.log_probability, said.compression_ratio)

    def _draws_again(self, written: Written) -> bool:
        """True for a doubtful text of somebody who speaks; of what was drawn, unlikely ones are always doubtful."""
        ratio = compression_ratio(self._text(written.tokens))
        weighed = self.decoding.redraws == DOUBTFUL or written.temperature > 0
        told = written.log_probability if weighed else None
        return not self.no_speech.holds(written, ratio) and self.no_speech.doubts(told, ratio)

    def _detect(self, decoder: CachedDecoder | FixedDecoder, rows: int) -> list[str] | list[None]:
        """Language of each row: the settings' own, else the most likely; English-only models are told none.

        The decoder has seen no token after.
        """
        if not self.settings.is_multilingual:
            return [None] * rows
        if self.settings.language:
            return [self.settings.language] * rows
        scores = decoder.step(np.full((rows, 1), self.settings.decoder_start_token_id, np.int64))[:, -1]
        decoder.rewind()
        best = scores[:, list(self.settings.lang_to_id.values())].argmax(axis=-1)
        return [self.settings.languages[index] for index in best]

    def _transcript(self, written: Written, samples: np.ndarray, language: str | None) -> Transcript:
        """What was said; tokens stay where it is nothing, so that models can still be compared on them."""
        text = self._text(written.tokens)
        ratio = compression_ratio(text)
        nothing = self.no_speech.holds(written, ratio) or self.no_speech.hears_none(samples)
        return Transcript(
            "" if nothing else text,
            written.tokens,
            len(samples) / SAMPLING_RATE,
            language,
            no_speech=nothing,
            no_speech_probability=written.no_speech,
            log_probability=written.log_probability,
            compression_ratio=ratio,
        )

    def _text(self, tokens: Sequence[int]) -> str:
        return self._spaced_text(tokens).strip()

    def _spaced_text(self, tokens: Sequence[int]) -> str:
        if self.decoding.timestamps is not None:
            tokens = [token for token in tokens if token < self.settings.first_timestamp_id]
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text

    def _timed(self, said: Transcript, states: np.ndarray) -> Transcript:
        """A transcript with the times of its parts, and with those of their words where they are asked for."""
        parts = timed_tokens(said.tokens, self.settings, said.seconds) if said.text else []
        words: list[tuple[Word, ...]] = [()] * len(parts)
        if parts and self.decoding.timestamps == WORD:
            assert isinstance(self.cache, CacheShape)
            aligner = Aligner(self.decoder, self.cache, self.settings, self._spaced_text, self.decoding.task)
            words = aligner.words(parts, states, said.seconds, said.language)
        told = [(part, self._text(part.tokens), own) for part, own in zip(around(parts, words), words, strict=True)]
        segments = tuple(Segment(part.start, part.end, text, own) for part, text, own in told if text)
        return replace(said, segments=segments)

    def _with_rest(self, said: Transcript, samples: np.ndarray) -> Transcript:
        """With what is said behind the place where the model stopped, amid a clip, to be heard anew."""
        place = unheard_from(said.tokens, self.settings) if self.decoding.timestamps and said.text else None
        if place is None or not LEAST_SECONDS <= place <= said.seconds - LEAST_SECONDS:
            return said
        (rest,) = self.transcribe_batch([samples[round(place * SAMPLING_RATE) :]], said.language)
        return join([ends_at(said, place), rest], said.language, None)
