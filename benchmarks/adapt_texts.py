"""What a larger model writes for recordings, heard as they are and changed, kept in a file; and which of it to learn.

Texts, not distributions: tiny.en and base cut words differently, and 270 of 50,257 numbers stand for the same token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from adapt_learning import CONTEXT, Learner

from myqasr_fx.acceptance.compare import word_edits
from myqasr_fx.audio import load_audio
from myqasr_fx.evaluate import Utterance
from myqasr_fx.evaluate.wer import normalize
from myqasr_fx.models.load import load_model
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Transcript
from myqasr_fx.runtime.no_speech import USUAL

APART = 0.5
"""Words that differ between the two texts of a recording, a word, up to which the first is learned."""


@dataclass(frozen=True, slots=True)
class Taught:
    """A teacher's text.

    Args:
        audio: File name.
        text: For the recording.
        log_probability: Of its tokens, mean, nats.
        compression_ratio: Bytes of the text to those of its zlib form.
        other: Text for the recording changed.
    """

    audio: str
    text: str
    log_probability: float
    compression_ratio: float
    other: str

    def held(self, language: str) -> bool:
        """Whether nothing speaks against the text: it is sure, repeats nothing and is much the same heard anew."""
        edits = word_edits(normalize(self.text, language), normalize(self.other, language))
        turned = edits.substitutions + edits.deletions + edits.insertions
        doubtful = USUAL.doubts(self.log_probability, self.compression_ratio)
        return bool(self.text) and not doubtful and turned <= APART * edits.words

    def transcript(self, speech: SpeechModel) -> Transcript:
        """In the tokens of the model that learns it."""
        tokens = speech.tokenizer.encode(f" {self.text}", add_special_tokens=False)
        return Transcript(self.text, tuple(tokens), 0.0)


def taught(teacher: str, utterances: Sequence[Utterance], path: Path) -> dict[str, Taught]:
    """By file name; texts that ``path`` lacks are written and added."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = {text.audio: text for text in (Taught(**json.loads(line)) for line in lines)}
    missing = [utterance for utterance in utterances if utterance.name not in found]
    if missing:
        speech = load_model(teacher)
        learner = Learner(speech, speech.capture())
        with path.open("a", encoding="utf-8") as file:
            for index, utterance in enumerate(missing):
                found[utterance.name] = _heard(learner, utterance, index)
                print(json.dumps(asdict(found[utterance.name])), file=file, flush=True)
    return found


def _heard(learner: Learner, utterance: Utterance, seed: int) -> Taught:
    samples = load_audio(utterance.audio).samples
    (said,) = learner.runtime().transcribe_batch([samples], utterance.lang)
    changed = learner.changed(samples, np.random.default_rng(seed))
    (other,) = learner.runtime(CONTEXT).transcribe_batch([changed], utterance.lang)
    return Taught(utterance.name, said.text, said.log_probability or 0.0, said.compression_ratio or 0.0, other.text)
