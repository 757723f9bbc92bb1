"""What onnx-asr reads beside the graphs, and how it feeds them."""

from __future__ import annotations

from pathlib import Path

from myqasr_fx.capture.adapter import Adapter
from myqasr_fx.capture.ctc import MODEL
from myqasr_fx.capture.whisper import DECODER
from myqasr_fx.errors import ModelError
from myqasr_fx.models.configs import write_json
from myqasr_fx.models.ctc_texts import ctc_texts, parting
from myqasr_fx.models.speech_model import SpeechModel

VOCABULARY, ADDED = "vocab.txt", "added_tokens.json"


def adapters(speech: SpeechModel) -> dict[str, Adapter]:
    """Graph name to what its file puts around it.

    Raises:
        ModelError: It is a Whisper that was trained on English alone, or one of its tokens cannot be written.
    """
    if speech.generation is None:
        if strange := parting(ctc_texts(speech)):
            raise _refused(f"token {strange!r} holds what parts the entries of {VOCABULARY}")
        normalizes = getattr(speech.feature_extractor, "do_normalize", True)
        return {MODEL: Adapter.NORMALIZED if normalizes else Adapter.WAVEFORM}
    if not speech.generation.is_multilingual:
        raise _refused("it tells every Whisper a language and a task, behind which an English-only one writes nothing")
    return {DECODER: Adapter.CACHE}


def write_onnx_asr_files(speech: SpeechModel, folder: Path) -> None:
    """Writes ``vocab.txt`` of a CTC model, or ``added_tokens.json`` beside the ``vocab.json`` of a Whisper."""
    if speech.generation is None:
        lines = (f"{token} {index}\n" for index, token in enumerate(ctc_texts(speech)))
        (folder / VOCABULARY).write_text("".join(lines), encoding="utf-8")
    else:
        added = {token.content: index for index, token in sorted(speech.tokenizer.added_tokens_decoder.items())}
        write_json(folder / ADDED, added)


def _refused(why: str) -> ModelError:
    return ModelError(f"layout onnx-asr: {why}", hint="take --layout hf")
