"""Texts of sound while it is heard: partial ones of a phrase that goes on, and its final one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.bundle.untrusted_json import short
from myqasr_fx.errors import OptionError
from myqasr_fx.models.languages import cannot_be_told, is_auto, unless_auto
from myqasr_fx.runtime.ctc import CtcRuntime
from myqasr_fx.runtime.phrases import Phrase, Phrases
from myqasr_fx.runtime.runtime import Runtime
from myqasr_fx.runtime.whisper import WhisperRuntime
from myqasr_fx.runtime.with_decoding import without_redraws

USUAL_EVERY = 1.0
USUAL_PAUSE = 0.6


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in a phrase, or in the part of it that was heard so far.

    Args:
        start: Seconds from the begin of all sound.
        end: Likewise.
        text: What was said; that of a partial text may still change.
        final: The phrase has ended.
    """

    start: float
    end: float
    text: str
    final: bool


class Listener:
    """Takes sound in blocks of any length and tells what is said.

    Final texts depend on the samples alone; how often there are partial ones, on the blocks too. Partial texts are not
    drawn again, since the next one follows.

    Args:
        runtime: Of any family.
        language: As for :meth:`~myqasr_fx.runtime.runtime.Runtime.transcribe`; found out for each phrase.
        every: Seconds of new sound before the next partial text.
        pause: Seconds in which nobody speaks that end a phrase.
        partial: Partial texts are wanted; without them a phrase is heard once.

    Raises:
        OptionError: ``every`` or ``pause`` is out of range.
        ModelError: The model does not know the language, or cannot be told any.
    """

    def __init__(
        self,
        runtime: Runtime,
        language: str | None = None,
        *,
        every: float = USUAL_EVERY,
        pause: float = USUAL_PAUSE,
        partial: bool = True,
    ) -> None:
        for name, value, least in (("every", every, 0.1), ("pause", pause, 0.1)):
            if not least <= value <= 10:
                raise OptionError(f"{name} {short(value)}: expected {least} to 10 seconds")
        if asked := unless_auto(language):
            _check_language(runtime, asked)
        if is_auto(language) and isinstance(runtime, WhisperRuntime):
            runtime = runtime.finding_out()
        self._runtime, self._drafts, self._language = runtime, without_redraws(runtime), unless_auto(language)
        self._phrases, self._partial = Phrases(pause), partial
        self._every = round(every * SAMPLING_RATE)
        self._unheard = 0
        self._told = ""

    def feed(self, block: np.ndarray) -> list[Heard]:
        """What a block (T,) float32 at 16 kHz tells: final texts of phrases that it ends, then a partial one."""
        ended = self._phrases.feed(np.asarray(block, np.float32))
        found = [said for phrase in ended for said in self._final(phrase)]
        self._unheard += len(block)
        current = self._phrases.current()
        if not self._partial or current is None or self._unheard < self._every:
            return found
        self._unheard = 0
        said = self._hear(current, final=False)
        if said.text and said.text != self._told:
            self._told = said.text
            found.append(said)
        return found

    def finish(self) -> list[Heard]:
        """What is left when there is no more sound; the next block begins anew."""
        last = self._phrases.finish()
        return [] if last is None else self._final(last)

    def _final(self, phrase: Phrase) -> list[Heard]:
        self._told = ""
        said = self._hear(phrase, final=True)
        return [said] if said.text else []

    def _hear(self, phrase: Phrase, *, final: bool) -> Heard:
        (said,) = (self._runtime if final else self._drafts).transcribe_batch([phrase.samples], self._language)
        start = phrase.start / SAMPLING_RATE
        return Heard(start, start + said.seconds, said.text, final)


def _check_language(runtime: Runtime, asked: str) -> None:
    if isinstance(runtime, WhisperRuntime):
        runtime.settings.language_code(asked)
    elif isinstance(runtime, CtcRuntime):
        raise cannot_be_told(asked)
