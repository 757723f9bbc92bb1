"""From a bundle's folder to a runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from myqasr_fx.bundle.bundle import MANIFEST, BundleManifest, QuantizedBundle
from myqasr_fx.bundle.external_data import model_files
from myqasr_fx.bundle.record_reader import build_record
from myqasr_fx.bundle.untrusted_json import read_object, short
from myqasr_fx.errors import BundleError, ModelError, OptionError
from myqasr_fx.models.generation import FILE_NAME, GenerationSettings
from myqasr_fx.runtime.client_inputs import ctc_graph, decoder_graph
from myqasr_fx.runtime.context import FULL, Context
from myqasr_fx.runtime.ctc import CtcRuntime
from myqasr_fx.runtime.decoding import USUAL as USUAL_DECODING
from myqasr_fx.runtime.features import Features, features_of
from myqasr_fx.runtime.fixed_cache import FixedCache
from myqasr_fx.runtime.growing_cache import CacheShape
from myqasr_fx.runtime.no_speech import USUAL, NoSpeechRule
from myqasr_fx.runtime.ort_runner import OrtRunner, largest_first
from myqasr_fx.runtime.ort_settings import OrtSettings
from myqasr_fx.runtime.runtime import Runtime
from myqasr_fx.runtime.text import CtcVocabulary, WhisperText
from myqasr_fx.runtime.whisper import WhisperRuntime

_LARGEST: Mapping[str, int] = {
    "decoder_layers": 1_000,
    "decoder_attention_heads": 1_000,
    "d_model": 100_000,
    "max_target_positions": 100_000,
}
"""Sizes in ``config.json`` that memory is taken by: many times those of Whisper large."""


def load_bundle(folder: str | Path, settings: OrtSettings | None = None) -> Runtime:
    """Loads a bundle to run on onnxruntime.

    A text that repeats itself is drawn again, unless :func:`~myqasr_fx.runtime.with_decoding.with_decoding` forbids it.

    Args:
        folder: What ``myqasr quantize`` wrote.
        settings: Options of the sessions; their entries add to those of the bundle.

    Raises:
        BundleError: A file is missing, damaged, or refused by onnxruntime.
        OptionError: Optimized graphs are to be kept in the bundle itself.
    """
    bundle = QuantizedBundle.open(folder)
    settings = settings or OrtSettings()
    if settings.kept is not None and settings.kept.resolve() == bundle.path.resolve():
        problem = f"{settings.kept}: optimized graphs cannot be kept in the bundle itself"
        raise OptionError(problem, hint="choose another folder, which may be deleted at any time")
    settings = replace(settings, entries={**bundle.manifest.session_options, **settings.entries})
    config = read_object(bundle.file("config.json"))
    features = _features(bundle.file("preprocessor_config.json"))
    if bundle.manifest.family == "ctc":
        return _ctc(bundle, settings, features, config)
    return _whisper(bundle, settings, features, config)


def _ctc(bundle: QuantizedBundle, settings: OrtSettings, features: Features, config: Mapping[str, Any]) -> CtcRuntime:
    for name in ("vocab.json", "tokenizer_config.json"):
        bundle.file(name)
    blank = config.get("pad_token_id")
    if type(blank) is not int:
        raise _wrong(bundle, "pad_token_id", blank, "an integer")
    (runner,) = _runners(bundle, settings, "model")
    graph, features = ctc_graph(runner, features)
    return CtcRuntime(graph, features, CtcVocabulary.read(bundle.path), blank, bundle.manifest.model_bytes)


def _whisper(
    bundle: QuantizedBundle, settings: OrtSettings, features: Features, config: Mapping[str, Any]
) -> WhisperRuntime:
    fixed = bundle.layout.fixed_cache
    for name, largest in _LARGEST.items():
        size = config.get(name)
        if type(size) is not int or not 1 <= size <= largest:
            raise _wrong(bundle, name, size, f"1 to {largest}")
    graphs = ("encoder", "decoder") if fixed else ("encoder_model", "decoder_model_merged")
    encoder, decoder = _runners(bundle, settings, *graphs)
    return WhisperRuntime(
        encoder=encoder,
        decoder=decoder_graph(decoder),
        features=features,
        tokenizer=WhisperText(bundle.file("tokenizer.json")),
        settings=_generation(bundle.file(FILE_NAME), decoder.width("logits")),
        cache=FixedCache.of(config) if fixed else CacheShape.of(config),
        model_bytes=bundle.manifest.model_bytes,
        no_speech=no_speech_of(bundle),
        decoding=USUAL_DECODING,
        context=context_of(bundle.manifest),
        any_length=encoder.width("mel" if fixed else "input_features") is None,
    )


def context_of(manifest: BundleManifest) -> Context:
    """What the bundle was judged in."""
    judged = manifest.context
    return FULL if judged is None else replace(Context.of(judged.silence, judged.margin), least=judged.least)


def no_speech_of(bundle: QuantizedBundle) -> NoSpeechRule:
    """The rule that the clips of the calibration went by, without silero-vad.

    Raises:
        BundleError: Its bound is none.
    """
    threshold = bundle.manifest.config.get("no_speech_threshold")
    try:
        return USUAL if threshold is None else replace(USUAL, no_speech_threshold=threshold)
    except OptionError as error:
        raise BundleError(f"{bundle.path / MANIFEST}: config: {error.message}", hint="quantize again") from error


def _runners(bundle: QuantizedBundle, settings: OrtSettings, *graphs: str) -> list[OrtRunner]:
    files = model_files(bundle, graphs)
    opened = {name: OrtRunner(path, settings) for name, path in largest_first(files)}
    return [opened[name] for name in files]


def _features(path: Path) -> Features:
    content = read_object(path)
    try:
        return features_of(content)
    except BundleError as error:
        raise BundleError(f"{path}: {error.message}", hint="quantize again") from error


def _generation(path: Path, vocabulary: int | None) -> GenerationSettings:
    """The settings, whose tokens are those that the decoder scores.

    Args:
        path: Their file.
        vocabulary: Number of these tokens; None where the file does not tell.
    """
    names = {field.name for field in fields(GenerationSettings)}
    given = {key: value for key, value in read_object(path).items() if key in names and value is not None}
    try:
        settings = build_record(GenerationSettings, given)
        ids = {name: value for name, value in given.items() if name.endswith(("_id", "_tokens", "_to_id"))}
        for name, value in ids.items():
            tokens = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
            if wrong := [token for token in tokens if not 0 <= token < (vocabulary or 1 << 31)]:
                raise ValueError(f"{name}: {wrong[0]}, expected ids below {vocabulary}")
    except (ValueError, ModelError) as error:
        raise BundleError(f"{path}: damaged: {error}", hint="quantize again") from error
    return settings


def _wrong(bundle: QuantizedBundle, name: str, value: object, expected: str) -> BundleError:
    path = bundle.path / "config.json"
    return BundleError(f"{path}: {name} is {short(value)}, expected {expected}", hint="quantize again")
