"""A Whisper model in CTranslate2 form as a Hugging Face network, with tokenizer, feature extractor and settings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer

from myqasr_fx.errors import ModelError
from myqasr_fx.models.ctranslate2 import Ct2Model, read_ctranslate2
from myqasr_fx.models.ctranslate2_names import weight_names
from myqasr_fx.models.generation import FIRST_MULTILINGUAL_VOCABULARY, GenerationSettings

_LAYER = re.compile(r"(encoder|decoder)/layer_(\d+)/")


@dataclass(frozen=True, slots=True)
class Ct2Files:
    """Where the pieces are.

    Args:
        weights: ``model.bin`` or its consecutive parts.
        tokenizer: ``tokenizer.json``.
        config: CTranslate2's ``config.json``, with the suppressed tokens and the alignment heads.
    """

    weights: tuple[Path, ...]
    tokenizer: Path
    config: Path


@dataclass(frozen=True, slots=True, eq=False)
class WhisperParts:
    """A network in eval mode and what prepares its inputs and reads its outputs."""

    network: WhisperForConditionalGeneration
    feature_extractor: WhisperFeatureExtractor
    tokenizer: WhisperTokenizer
    generation: GenerationSettings


def load_ctranslate2_whisper(files: Ct2Files) -> WhisperParts:
    """Reads a Whisper model of any size; weights become float32 one by one.

    Raises:
        ModelError: A file is missing or damaged, is no Whisper model, or holds integer weights.
    """
    model = read_ctranslate2(files.weights)
    if model.spec != "WhisperSpec":
        raise ModelError(f"{files.weights[0]}: holds a {model.spec!r}, expected a Whisper model")
    tokenizer, hints = _tokenizer_and_hints(files)
    sizes = _sizes(model, files.weights[0])
    generation = _generation(tokenizer, sizes, hints)
    config = WhisperConfig(architectures=["WhisperForConditionalGeneration"], **sizes, **_token_ids(generation))
    with torch.device("meta"):
        network = WhisperForConditionalGeneration(config)
    _assign(network, model, files.weights[0])
    extractor = WhisperFeatureExtractor(feature_size=config.num_mel_bins)
    return WhisperParts(network.eval(), extractor, tokenizer, generation)


def _tokenizer_and_hints(files: Ct2Files) -> tuple[WhisperTokenizer, dict[str, Any]]:
    try:
        hints = json.loads(files.config.read_text(encoding="utf-8"))
        content = json.loads(files.tokenizer.read_text(encoding="utf-8"))  # the tokenizer itself starts empty if not
        if not isinstance(hints, dict) or not isinstance(content, dict):
            raise ValueError("holds no JSON object")
        return WhisperTokenizer(tokenizer_file=str(files.tokenizer)), hints
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelError(
            f"{files.tokenizer} or {files.config}: cannot be read: {error}",
            hint="a CTranslate2 folder needs config.json and the tokenizer.json of the same Whisper model",
        ) from error


def _sizes(model: Ct2Model, path: Path) -> dict[str, Any]:
    """Every size follows from the shapes; only the numbers of heads are written in the file."""
    layers = {side: 0 for side in ("encoder", "decoder")}
    for name in model.variables:
        if match := _LAYER.match(name):
            layers[match[1]] = max(layers[match[1]], int(match[2]) + 1)
    try:
        width, mel_bins, _ = model.variables["encoder/conv1/weight"].shape
        return {
            "vocab_size": model.variables["decoder/embeddings/weight"].shape[0],
            "d_model": width,
            "num_mel_bins": mel_bins,
            "max_source_positions": model.variables["encoder/position_encodings/encodings"].shape[0],
            "max_target_positions": model.variables["decoder/position_encodings/encodings"].shape[0],
            "encoder_layers": layers["encoder"],
            "decoder_layers": layers["decoder"],
            "encoder_attention_heads": int(model.variables["encoder/num_heads"]),
            "decoder_attention_heads": int(model.variables["decoder/num_heads"]),
            "encoder_ffn_dim": model.variables["encoder/layer_0/ffn/linear_0/weight"].shape[0],
            "decoder_ffn_dim": model.variables["decoder/layer_0/ffn/linear_0/weight"].shape[0],
        }
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{path}: is no complete Whisper model: {error}") from error


def _generation(tokenizer: WhisperTokenizer, sizes: Mapping[str, Any], hints: Mapping[str, Any]) -> GenerationSettings:
    vocabulary = tokenizer.get_vocab()
    if max(vocabulary.values()) >= sizes["vocab_size"]:
        raise ModelError(
            f"the tokenizer has token {max(vocabulary.values())}, the model only {sizes['vocab_size']} tokens",
            hint="use the tokenizer.json of the same Whisper model",
        )
    settings = GenerationSettings.from_vocabulary(
        vocabulary,
        is_multilingual=sizes["vocab_size"] >= FIRST_MULTILINGUAL_VOCABULARY,
        max_length=sizes["max_target_positions"],
    )
    return replace(
        settings,
        suppress_tokens=hints.get("suppress_ids", ()),
        begin_suppress_tokens=hints.get("suppress_ids_begin", settings.begin_suppress_tokens),
        alignment_heads=hints.get("alignment_heads", ()),
    )


def _token_ids(generation: GenerationSettings) -> dict[str, Any]:
    end = generation.eos_token_id
    return {
        "decoder_start_token_id": generation.decoder_start_token_id,
        "begin_suppress_tokens": list(generation.begin_suppress_tokens),
    } | {f"{kind}_token_id": end for kind in ("bos", "eos", "pad")}


def _assign(network: WhisperForConditionalGeneration, model: Ct2Model, path: Path) -> None:
    """Gives the empty network its weights."""
    state, used = {}, set()
    for target, source, part in weight_names(network.config):
        if source not in model.variables:
            raise ModelError(f"{path}: variable {source!r} is missing")
        array = model.variables[source]
        if array.dtype not in (np.float16, np.float32):
            raise ModelError(
                f"{path}: variable {source!r} is {array.dtype}, expected float16 or float32",
                hint="convert the model without integer quantization",
            )
        rows = len(array) // part.of
        state[target] = torch.from_numpy(array[part.index * rows : (part.index + 1) * rows].astype(np.float32))
        used.add(source)
    for name in sorted(model.variables.keys() - used):
        array = model.variables[name]
        if array.ndim and array is not model.variables["decoder/embeddings/weight"]:  # the output projection is tied
            raise ModelError(f"{path}: variable {name!r} has no place in a Whisper model")
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise ModelError(f"{path}: a weight has another shape than the rest implies: {error}") from error
    network.tie_weights()
    network.requires_grad_(False)
