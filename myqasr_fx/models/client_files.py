"""All that a client reads beside the graphs: configuration, tokenizer, feature extractor."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from myqasr_fx.bundle.layout import DEFAULT, Layout
from myqasr_fx.models.ctc_texts import write_ctc_tokens
from myqasr_fx.models.onnx_asr import write_onnx_asr_files
from myqasr_fx.models.sherpa import write_tokens
from myqasr_fx.models.speech_model import SpeechModel


def write_client_files(speech: SpeechModel, layout: Layout, model_files: Iterable[str], folder: Path) -> None:
    """Writes them into ``folder``.

    Args:
        speech: The model.
        layout: The client.
        model_files: Names of the graphs' files, which some clients want to be told.
        folder: Of the bundle.

    Raises:
        ModelError: The tokenizer is none that the client reads.
    """
    speech.save_configs(folder, layout.client_settings(model_files))
    if layout.name == DEFAULT and speech.generation is None:
        write_ctc_tokens(speech, folder)
    if layout.fixed_cache:
        write_tokens(speech.tokenizer, folder)
    if layout.adapts:
        write_onnx_asr_files(speech, folder)
