"""From a bundle's folder to a runtime."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import BundleError
from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime.ctc import CtcRuntime
from myqasr_fx.runtime.features import features_of
from myqasr_fx.runtime.fixed_cache import FixedCache
from myqasr_fx.runtime.ort_runner import OrtRunner, OrtSettings
from myqasr_fx.runtime.runtime import Runtime
from myqasr_fx.runtime.text import CtcVocabulary, WhisperText
from myqasr_fx.runtime.whisper import CacheShape, WhisperRuntime


def load_bundle(folder: str | Path, settings: OrtSettings | None = None) -> Runtime:
    """Loads a bundle to run on onnxruntime.

    Args:
        folder: What ``myqasr quantize`` wrote.
        settings: Options of the sessions; their entries add to those of the bundle.

    Raises:
        BundleError: A file is missing, damaged, or refused by onnxruntime.
    """
    bundle = QuantizedBundle.open(folder)
    settings = settings or OrtSettings()
    settings = replace(settings, entries={**bundle.manifest.session_options, **settings.entries})
    config = _read_json(bundle.path / "config.json")
    features = features_of(_read_json(bundle.path / "preprocessor_config.json"))
    size = bundle.manifest.model_bytes
    if bundle.manifest.family == "ctc":
        vocabulary = CtcVocabulary.read(bundle.path)
        return CtcRuntime(_runner(bundle, "model", settings), features, vocabulary, config["pad_token_id"], size)
    fixed = bundle.layout.fixed_cache
    return WhisperRuntime(
        encoder=_runner(bundle, "encoder" if fixed else "encoder_model", settings),
        decoder=_runner(bundle, "decoder" if fixed else "decoder_model_merged", settings),
        features=features,
        tokenizer=WhisperText(bundle.path / "tokenizer.json"),
        settings=GenerationSettings.read(bundle.path),
        cache=FixedCache.of(config) if fixed else CacheShape.of(config),
        model_bytes=size,
    )


def _runner(bundle: QuantizedBundle, name: str, settings: OrtSettings) -> OrtRunner:
    return OrtRunner(bundle.path / bundle.layout.file(name), settings)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: cannot be read: {error}", hint="quantize again") from error
    return content
