"""JSON files beside the weights, in the forms that transformers 4 and 5, Optimum and transformers.js all read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import FeatureExtractionMixin, PretrainedConfig, PreTrainedTokenizerBase

from myqasr_fx.models.generation import FILE_NAME, GenerationSettings

_VERSION_5_KEYS = ("backend", "extra_special_tokens", "is_local", "local_files_only", "model_specific_special_tokens")
"""Keys of ``tokenizer_config.json`` that transformers 4 takes for something else, or that tell of this machine."""

_SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token")


def write_json(path: Path, content: object) -> None:
    """Writes indented JSON with a newline at the end, characters beyond ASCII as they are."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_configs(
    folder: Path,
    config: PretrainedConfig,
    feature_extractor: FeatureExtractionMixin,
    generation: GenerationSettings | None,
) -> None:
    """Writes ``config.json``, ``preprocessor_config.json``, ``processor_config.json`` and the generation settings."""
    content = json.loads(config.to_json_string(use_diff=False))
    content.pop("_name_or_path", None)
    write_json(folder / "config.json", content)
    processor = "WhisperProcessor" if generation else "Wav2Vec2Processor"
    extractor = json.loads(feature_extractor.to_json_string())
    write_json(folder / "preprocessor_config.json", extractor | {"processor_class": processor})
    # transformers 5 looks here first, and keeps the extractor inside
    extractor.pop("processor_class", None)
    write_json(folder / "processor_config.json", {"feature_extractor": extractor, "processor_class": processor})
    if generation is not None:  # transformers 5 would drop the keys that it does not know
        write_json(folder / FILE_NAME, generation.to_json())


def add_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Adds keys to the ``config.json`` that lies in ``folder``."""
    path = folder / "config.json"
    write_json(path, json.loads(path.read_text(encoding="utf-8")) | dict(settings))


def write_tokenizer_config(folder: Path, tokenizer: PreTrainedTokenizerBase, extra: Mapping[str, Any]) -> None:
    """Rewrites the ``tokenizer_config.json`` that the tokenizer has saved, and adds ``special_tokens_map.json``.

    Args:
        folder: Where the tokenizer was saved.
        tokenizer: That tokenizer.
        extra: Keys to set.
    """
    path = folder / "tokenizer_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content = {key: value for key, value in content.items() if key not in _VERSION_5_KEYS}
    added = {str(index): _token(token) for index, token in sorted(tokenizer.added_tokens_decoder.items())}
    content |= {"added_tokens_decoder": added, "clean_up_tokenization_spaces": False, **extra}
    write_json(path, dict(sorted(content.items())))
    named = {name: content[name] for name in _SPECIAL_TOKENS if content.get(name) is not None}
    additional = {key: extra[key] for key in ("additional_special_tokens",) if key in extra}
    write_json(folder / "special_tokens_map.json", named | additional)


def _token(token: Any) -> dict[str, object]:
    flags = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
    return {flag: getattr(token, flag) for flag in flags}
