"""The Whisper family: an encoder of log-mel spectrograms and a decoder that writes tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
from transformers import (
    GenerationConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.capture import capture_whisper
from myqasr_fx.capture.whisper_fixed import capture_whisper_fixed
from myqasr_fx.models.configs import write_json, write_tokenizer_config
from myqasr_fx.models.feature_extractor import load_whisper_extractor
from myqasr_fx.models.generation import FILE_NAME
from myqasr_fx.models.json_file import read_json
from myqasr_fx.models.network import load_network
from myqasr_fx.models.speech_model import ModelParts, SpeechModel
from myqasr_fx.models.whisper_sizes import check_whisper_sizes
from myqasr_fx.models.whisper_tokens import load_whisper_tokenizer, whisper_settings
from passes.base import Program


class Whisper:
    """English-only and multilingual models of every size."""

    name = "whisper"
    model_types = frozenset({"whisper"})

    def load(self, folder: Path, language: str | None = None) -> ModelParts:
        """All parts; what an old ``generation_config.json`` lacks follows from the tokenizer.

        The decoder is told the language later.
        """
        network = load_network(folder, WhisperConfig, WhisperForConditionalGeneration, check_whisper_sizes)
        tokenizer = load_whisper_tokenizer(folder)
        stored = read_json(folder / FILE_NAME) if (folder / FILE_NAME).exists() else {}
        generation = whisper_settings(folder, stored, tokenizer, network.config)
        network.generation_config = GenerationConfig.from_dict(generation.to_json())
        return ModelParts(network, load_whisper_extractor(folder, network.config), tokenizer, generation)

    def capture(self, network: PreTrainedModel, *, fixed_cache: bool, silence: int | None) -> Program:
        """Graphs ``encoder_model`` and ``decoder_model_merged``, or ``encoder`` and ``decoder``."""
        whisper = cast(WhisperForConditionalGeneration, network)
        return capture_whisper_fixed(whisper) if fixed_cache else capture_whisper(whisper, silence)

    def batch(self, config: PretrainedConfig) -> str | None:
        """Any: each is brought to 30 s before the encoder, which was trained on that."""
        return None

    def features(self, model: SpeechModel, samples: np.ndarray) -> np.ndarray:
        """Log-mel spectrogram (1, mel bins, 3000) of the first 30 s, padded with silence."""
        extract: Any = model.feature_extractor  # typed without its call
        batch = extract(samples, sampling_rate=SAMPLING_RATE, return_tensors="np")
        return np.asarray(batch["input_features"], np.float32)

    def write_tokenizer(self, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
        """Writes ``tokenizer.json`` and the older ``vocab.json`` and ``merges.txt``."""
        tokenizer.save_pretrained(folder)
        model: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
        write_json(folder / "vocab.json", model["vocab"])
        merges = (pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"])
        (folder / "merges.txt").write_text("\n".join(("#version: 0.2", *merges)) + "\n", encoding="utf-8")
        special = [t.content for _, t in sorted(tokenizer.added_tokens_decoder.items()) if t.special]
        extra = {
            "additional_special_tokens": special,
            "pad_token": tokenizer.eos_token,
            "processor_class": "WhisperProcessor",
            "tokenizer_class": "WhisperTokenizer",
        }
        write_tokenizer_config(folder, tokenizer, extra)
