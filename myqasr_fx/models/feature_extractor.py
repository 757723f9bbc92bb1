"""The feature extractor of a folder, its numbers checked against the network's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import PretrainedConfig, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.errors import ModelError
from myqasr_fx.models.json_file import is_count, read_json
from myqasr_fx.models.refusal import place, wrong

_FILE = "preprocessor_config.json"
_PROCESSOR_FILE = "processor_config.json"
_PART = "feature_extractor"
_TYPE = "feature_extractor_type"

_SPECTRUM = (16, 4096)
"""Samples of a frame of the short-time spectrum."""

Fits = Callable[[object], bool]


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def load_whisper_extractor(folder: Path, config: PretrainedConfig) -> WhisperFeatureExtractor:
    """The log-mel extractor of a folder.

    Raises:
        ModelError: It is missing or of another kind, or gives other bins or frames than the network takes.
    """
    path, content = _read(folder, "WhisperFeatureExtractor")
    return whisper_extractor(path, content, config)


def whisper_extractor(path: Path, content: Mapping[str, Any], config: PretrainedConfig) -> WhisperFeatureExtractor:
    """The log-mel extractor that ``content`` describes; what it leaves out is as in OpenAI's models.

    Args:
        path: The file of ``content``.
        content: Keys of a ``preprocessor_config.json``.
        config: Of the network, with checked sizes.

    Raises:
        ModelError: It gives other bins or frames than the network takes.
    """
    values: dict[str, Any] = {
        "feature_size": config.num_mel_bins,
        "hop_length": 160,
        "chunk_length": 30,
        "n_fft": 400,
        **content,
    }
    frames = 2 * config.max_source_positions
    least, most = _SPECTRUM
    _require(path, values, "feature_size", f"{config.num_mel_bins}, the network's mel bins", config.num_mel_bins)
    checks: tuple[tuple[str, Fits, str], ...] = (
        ("n_fft", lambda value: is_count(value, least, most), f"{least} to {most} samples"),
        ("hop_length", lambda value: is_count(value, 1, values["n_fft"]), "1 to n_fft samples"),
        ("chunk_length", lambda value: is_count(value, 1, frames), "whole seconds"),
        ("return_attention_mask", _flag, "true or false"),
    )
    _check(path, values, checks)
    _require(path, values, "dither", "0", 0)
    _require(path, values, "padding_value", "0", 0)
    if values["chunk_length"] * SAMPLING_RATE != frames * values["hop_length"]:
        expected = f"{frames} frames, twice the network's max_source_positions, of hop_length samples"
        raise wrong(path, "chunk_length", values["chunk_length"], expected)
    if values["feature_size"] > values["n_fft"] // 2 + 1:
        raise wrong(path, "feature_size", values["feature_size"], "no more mel bins than n_fft has frequencies")
    keys = ("feature_size", "hop_length", "chunk_length", "n_fft", "return_attention_mask")
    return WhisperFeatureExtractor(**{key: values[key] for key in keys if key in values})


def load_waveform_extractor(folder: Path) -> Wav2Vec2FeatureExtractor:
    """The extractor of waveforms of a folder.

    Raises:
        ModelError: It is missing or of another kind, or a value is none that it takes.
    """
    path, values = _read(folder, "Wav2Vec2FeatureExtractor")
    _require(path, values, "feature_size", "1", 1)
    checks: tuple[tuple[str, Fits, str], ...] = (
        ("padding_value", _number, "a number"),
        ("do_normalize", _flag, "true or false"),
        ("return_attention_mask", _flag, "true or false"),
    )
    _check(path, values, checks)
    keys = [key for key, _, _ in checks if key in values]
    return Wav2Vec2FeatureExtractor(**{key: values[key] for key in keys})


def _read(folder: Path, kind: str) -> tuple[Path, dict[str, Any]]:
    """The file and its content; processors of transformers 5 hold the extractor inside."""
    path = folder / _PROCESSOR_FILE
    content = read_json(path).get(_PART) if path.exists() else None
    if content is None:
        path = folder / _FILE
        if not path.exists():
            raise ModelError(f"{place(folder)}: no feature extractor", hint=f"the folder needs {_FILE}")
        content = read_json(path)
    if not isinstance(content, dict):
        raise wrong(path, _PART, content, "an object")
    if content.get(_TYPE, kind) != kind:
        raise wrong(path, _TYPE, content[_TYPE], kind)
    values = {key: value for key, value in content.items() if value is not None}
    _require(path, values, "sampling_rate", f"{SAMPLING_RATE} Hz", SAMPLING_RATE)
    return path, values


def _require(path: Path, values: Mapping[str, Any], key: str, expected: str, wanted: int) -> None:
    value = values.get(key, wanted)
    if isinstance(value, bool) or value != wanted or not _number(value):
        raise wrong(path, key, value, expected)


def _check(path: Path, values: Mapping[str, Any], checks: tuple[tuple[str, Fits, str], ...]) -> None:
    for key, fits, expected in checks:
        if key in values and not fits(values[key]):
            raise wrong(path, key, values[key], expected)
