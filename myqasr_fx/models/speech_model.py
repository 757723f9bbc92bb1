"""A full-precision model with all that prepares its inputs and reads its outputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase, SequenceFeatureExtractor

from myqasr_fx.models.configs import add_settings, write_configs
from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.models.languages import cannot_be_told, unless_auto
from myqasr_fx.models.letter_settings import LETTER_SETTINGS
from myqasr_fx.process.freed_memory import trim
from myqasr_fx.process.mapped_tensors import is_mapped, set_aside
from passes.base import Program


@dataclass(frozen=True, slots=True, eq=False)
class ModelParts:
    """What a folder holds.

    Args:
        network: In eval mode, float32, without gradients.
        feature_extractor: Turns samples at 16 kHz into the network's input.
        tokenizer: Turns token ids into text.
        generation: Prompt and suppressed tokens; None for a model that writes no tokens.
        language: The only one of many whose weights were loaded; None for all other models.
    """

    network: PreTrainedModel
    feature_extractor: SequenceFeatureExtractor
    tokenizer: PreTrainedTokenizerBase
    generation: GenerationSettings | None
    language: str | None = None


class Family(Protocol):
    """What differs between kinds of models; one file and one entry in ``load.FAMILIES`` each."""

    @property
    def name(self) -> str:
        """``whisper`` or ``ctc``."""

    @property
    def model_types(self) -> frozenset[str]:
        """Values of ``model_type`` in ``config.json`` that belong to the family."""

    def load(self, folder: Path, language: str | None = None) -> ModelParts:
        """Reads a Hugging Face folder.

        Args:
            folder: The folder.
            language: Whose weights to load, where each has its own.

        Raises:
            ModelError: The folder's files do not make a complete model of the family.
        """

    def capture(self, network: PreTrainedModel, *, fixed_cache: bool, silence: int | None) -> Program:
        """The network as ATen FX graphs.

        Args:
            network: Of the family.
            fixed_cache: With a decoder cache of fixed length, see :mod:`myqasr_fx.capture.whisper_fixed`; ``silence``
                then has no effect.
            silence: Frames of silence that one stands for, see :mod:`myqasr_fx.capture.whisper_silence`.

        Raises:
            ModelError: The family has no such graphs.
        """

    def batch(self, config: PretrainedConfig) -> str | None:
        """Which clips its graphs take together, for the manifest; None where any."""

    def features(self, model: SpeechModel, samples: np.ndarray) -> np.ndarray:
        """Model input of ``samples`` ((T,) float32 at 16 kHz), float32 with a batch of one."""

    def write_tokenizer(self, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
        """Writes the tokenizer's files as transformers 4 and 5, Optimum and transformers.js read them."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeechModel:
    """A model ready to be captured or run.

    Args:
        name: Built-in name, hub id or name of the folder.
        family: Its family.
        network: In eval mode, float32, without gradients.
        feature_extractor: Turns samples at 16 kHz into the network's input.
        tokenizer: Turns token ids into text.
        generation: Prompt and suppressed tokens; None for a model that writes no tokens.
        fingerprint: SHA-256 of configuration and weights, wherever they were read from.
        language: As of :class:`ModelParts`.
    """

    name: str
    family: Family
    network: PreTrainedModel
    feature_extractor: SequenceFeatureExtractor
    tokenizer: PreTrainedTokenizerBase
    generation: GenerationSettings | None
    fingerprint: str
    language: str | None = None
    _captured: dict[tuple[bool, int | None], Program] = field(default_factory=dict, init=False, repr=False)

    @property
    def config(self) -> PretrainedConfig:
        """The network's configuration."""
        return self.network.config

    def capture(self, *, fixed_cache: bool = False, silence: int | None = None) -> Program:
        """The network as ATen FX graphs, traced once, a copy a call; arguments as for :meth:`Family.capture`."""
        form = fixed_cache, silence
        if form not in self._captured:
            self._captured[form] = self.family.capture(self.network, fixed_cache=fixed_cache, silence=silence)
        return self._captured[form].clone()

    def identity(self) -> str:
        """SHA-256 of all that decides what it writes: network, features, prompt and rules of tokens, words."""
        words = sorted(self.tokenizer.get_vocab().items(), key=lambda item: item[1])
        letters = (getattr(self.tokenizer, name, None) for name in LETTER_SETTINGS)
        special = [self.tokenizer.all_special_tokens, *letters]
        features = json.loads(self.feature_extractor.to_json_string())
        settings = None if self.generation is None else self.generation.to_json()
        told = json.dumps([self.fingerprint, features, settings, words, special], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def lies_in_files(self) -> bool:
        """Its weights are too many to stay in memory, and so is all else that comes in the bytes of a model."""
        return any(map(is_mapped, self.network.parameters()))

    def set_aside(self) -> None:
        """Lets weights that lie in files leave memory until they are read again, and what a step of the work freed."""
        if set_aside(self.network.parameters()):
            trim()

    def features(self, samples: np.ndarray) -> np.ndarray:
        """Model input of ``samples`` ((T,) float32 at 16 kHz): (1, mel bins, frames) or (1, T), float32."""
        return self.family.features(self, samples)

    def language_code(self, language: str | None) -> str | None:
        """The code under which the model knows a language that was asked for; where none was, that of its weights.

        ``auto`` asks for none.

        Raises:
            ModelError: It does not know the language, or cannot be told any.
        """
        language = unless_auto(language)
        if not language:
            return self.language
        if self.generation is not None:
            return self.generation.language_code(language)
        if self.language is None or language.lower() != self.language.lower():
            raise cannot_be_told(language)
        return self.language

    def told(self, language: str | None) -> str | None:
        """What its runtime is told of a language: the code; nothing where the language is in the weights.

        Raises:
            ModelError: As :meth:`language_code`.
        """
        code = self.language_code(language)
        return None if self.generation is None else code

    def save_configs(self, folder: Path, settings: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Writes into ``folder`` all but the weights: configuration, settings, feature extractor and tokenizer.

        Args:
            folder: Made when it is missing.
            settings: Keys that a client reads in ``config.json``.
        """
        folder.mkdir(parents=True, exist_ok=True)
        write_configs(folder, self.config, self.feature_extractor, self.generation)
        add_settings(folder, settings)
        self.family.write_tokenizer(self.tokenizer, folder)


def fingerprint(network: PreTrainedModel) -> str:
    """SHA-256 of the configuration and of every weight's name, shape and bytes."""
    digest = hashlib.sha256(json.dumps(_stable(network.config), sort_keys=True).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _stable(config: PretrainedConfig) -> dict[str, Any]:
    """The configuration without what depends on the machine or the library's version."""
    content: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    return {key: value for key, value in content.items() if key not in ("_name_or_path", "transformers_version")}
