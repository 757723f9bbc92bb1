"""A Whisper model in CTranslate2 form as a Hugging Face network, with tokenizer, feature extractor and settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration, WhisperTokenizer

from myqasr_fx.errors import ModelError
from myqasr_fx.models.ctranslate2 import Ct2Model, read_ctranslate2
from myqasr_fx.models.ctranslate2_files import Ct2Files
from myqasr_fx.models.ctranslate2_names import StackedPart, weight_names
from myqasr_fx.models.feature_extractor import whisper_extractor
from myqasr_fx.models.generation import FIRST_MULTILINGUAL_VOCABULARY, LEAST_LENGTH, GenerationSettings
from myqasr_fx.models.json_file import read_json
from myqasr_fx.models.network_tensors import check_tensors, expected_tensors
from myqasr_fx.models.refusal import place, shown, wrong
from myqasr_fx.models.speech_model import ModelParts
from myqasr_fx.models.tokenizer_files import check_places, library_errors, read_tokenizer_json
from myqasr_fx.models.whisper_sizes import check_whisper_sizes
from myqasr_fx.models.whisper_tokens import whisper_settings

_LAYER = re.compile(r"(encoder|decoder)/layer_(\d{1,6})/")

_HINTS = {
    "suppress_ids": "suppress_tokens",
    "suppress_ids_begin": "begin_suppress_tokens",
    "alignment_heads": "alignment_heads",
}
"""CTranslate2's names to those of :class:`GenerationSettings`."""


def load_ctranslate2_whisper(files: Ct2Files) -> ModelParts:
    """Reads a Whisper model of any size; weights become float32 one by one.

    Raises:
        ModelError: A file is missing or damaged, is no Whisper model, or holds integer weights.
    """
    path = files.weights[0]
    model = read_ctranslate2(files.weights)
    if model.spec != "WhisperSpec":
        raise ModelError(f"{place(path)}: holds a {shown(model.spec)}, expected a Whisper model")
    tokenizer, hints = _tokenizer_and_hints(files)
    config = WhisperConfig(architectures=["WhisperForConditionalGeneration"], **_sizes(model, path))
    _name_tokens(config, _from_tokenizer(tokenizer, config))
    stored = _stored(model, config, path)
    shapes = {name: part.shape for name, part in stored.items()}
    check_whisper_sizes(path, config, shapes, "model.")
    generation = whisper_settings(files.tokenizer, _settings(files.config, hints), tokenizer, config)
    _name_tokens(config, generation)
    check_tensors(path, expected_tensors(path, config, WhisperForConditionalGeneration), shapes)
    extractor = whisper_extractor(path, {}, config)
    network = _network(config, stored)
    network.generation_config = GenerationConfig.from_dict(generation.to_json())
    return ModelParts(network, extractor, tokenizer, generation)


def _tokenizer_and_hints(files: Ct2Files) -> tuple[WhisperTokenizer, dict[str, Any]]:
    try:
        hints = read_json(files.config)
        added = read_tokenizer_json(files.tokenizer)
        with library_errors(files.tokenizer):
            tokenizer = WhisperTokenizer(tokenizer_file=str(files.tokenizer))
        check_places(files.tokenizer, added, tokenizer.get_vocab())
        return tokenizer, hints
    except ModelError as error:
        raise ModelError(
            error.message,
            hint="a CTranslate2 folder needs config.json and the tokenizer.json of the same Whisper model",
        ) from error


def _sizes(model: Ct2Model, path: Path) -> dict[str, Any]:
    """Every size follows from the shapes; only the numbers of heads are written in the file."""
    layers: dict[str, set[str]] = {side: set() for side in ("encoder", "decoder")}
    for match in filter(None, map(_LAYER.match, model.variables)):
        layers[match[1]].add(match[2])

    def size(name: str, axis: int) -> int:
        shape = _variable(model, name, path).shape
        if axis >= len(shape):
            raise wrong(path, f"the shape of {name}", list(shape), f"at least {axis + 1} dimensions")
        return int(shape[axis])

    return {
        "vocab_size": size("decoder/embeddings/weight", 0),
        "d_model": size("encoder/conv1/weight", 0),
        "num_mel_bins": size("encoder/conv1/weight", 1),
        "max_source_positions": size("encoder/position_encodings/encodings", 0),
        "max_target_positions": size("decoder/position_encodings/encodings", 0),
        "encoder_layers": len(layers["encoder"]),
        "decoder_layers": len(layers["decoder"]),
        "encoder_attention_heads": _heads(model, "encoder/num_heads", path),
        "decoder_attention_heads": _heads(model, "decoder/num_heads", path),
        "encoder_ffn_dim": size("encoder/layer_0/ffn/linear_0/weight", 0),
        "decoder_ffn_dim": size("decoder/layer_0/ffn/linear_0/weight", 0),
    }


def _heads(model: Ct2Model, name: str, path: Path) -> int:
    array = _variable(model, name, path)
    if array.ndim or not np.issubdtype(array.dtype, np.integer):
        raise ModelError(f"{place(path)}: variable {name!r} is no single whole number")
    return int(array)


def _variable(model: Ct2Model, name: str, path: Path) -> np.ndarray:
    if name not in model.variables:
        raise ModelError(f"{place(path)}: is no complete Whisper model: variable {name!r} is missing")
    return model.variables[name]


def _from_tokenizer(tokenizer: WhisperTokenizer, config: WhisperConfig) -> GenerationSettings:
    is_multilingual = config.vocab_size >= FIRST_MULTILINGUAL_VOCABULARY
    length = max(config.max_target_positions, LEAST_LENGTH)
    return GenerationSettings.from_vocabulary(tokenizer.get_vocab(), is_multilingual=is_multilingual, max_length=length)


def _settings(path: Path, hints: Mapping[str, Any]) -> dict[str, Any]:
    """What CTranslate2's ``config.json`` calls otherwise."""
    content = {name: hints[key] for key, name in _HINTS.items() if hints.get(key) is not None}
    for name, value in content.items():
        if not isinstance(value, list):
            raise wrong(path, name, value, "a list")
    return content


def _name_tokens(config: WhisperConfig, generation: GenerationSettings) -> None:
    config.decoder_start_token_id = generation.decoder_start_token_id
    config.begin_suppress_tokens = list(generation.begin_suppress_tokens)
    config.bos_token_id = config.eos_token_id = config.pad_token_id = generation.eos_token_id


@dataclass(frozen=True, slots=True, eq=False)
class _Stored:
    """A parameter as a run of rows of a variable."""

    array: np.ndarray
    part: StackedPart

    @property
    def shape(self) -> tuple[int, ...]:
        rows, *rest = self.array.shape or (1,)
        return (rows // self.part.of, *rest) if self.array.ndim else ()

    def tensor(self) -> torch.Tensor:
        """The parameter in float32."""
        rows = len(self.array) // self.part.of
        return torch.from_numpy(self.array[self.part.index * rows : (self.part.index + 1) * rows].astype(np.float32))


def _stored(model: Ct2Model, config: WhisperConfig, path: Path) -> dict[str, _Stored]:
    """Where each parameter of the network lies."""
    stored, used = {}, set()
    for target, source, part in weight_names(config):
        array = _variable(model, source, path)
        if array.dtype not in (np.float16, np.float32):
            raise ModelError(
                f"{place(path)}: variable {source!r} is {array.dtype}, expected float16 or float32",
                hint="convert the model without integer quantization",
            )
        if part.of > 1 and (not array.ndim or len(array) % part.of):
            raise wrong(path, f"the shape of {source}", list(array.shape), f"rows of {part.of} equal parts")
        stored[target] = _Stored(array, part)
        used.add(source)
    for name in sorted(model.variables.keys() - used):
        array = model.variables[name]
        if array.ndim and array is not model.variables["decoder/embeddings/weight"]:  # the output projection is tied
            raise ModelError(f"{place(path)}: variable {shown(name)} has no place in a Whisper model")
    return stored


def _network(config: WhisperConfig, stored: Mapping[str, _Stored]) -> WhisperForConditionalGeneration:
    with torch.device("meta"):
        network = WhisperForConditionalGeneration(config)
    state = {name: part.tensor() for name, part in stored.items()}
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    network.load_state_dict(state, assign=True)
    network.tie_weights()
    ready: WhisperForConditionalGeneration = network.requires_grad_(False).eval()
    return ready
