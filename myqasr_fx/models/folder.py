"""Reading a Hugging Face folder: safetensors only, no code from the folder, nothing fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoFeatureExtractor, AutoTokenizer, PreTrainedModel
from transformers.utils import logging

from myqasr_fx.errors import ModelError

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")

_VOCABULARIES = ("tokenizer.json", "vocab.json")

_UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError, SafetensorError)
"""What transformers raises for missing, damaged or mismatching files."""

_TRAINING_ONLY = "masked_spec_embed"
"""A parameter that only training reads; many checkpoints leave it out."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        ModelError: The file is missing or holds no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: holds no JSON object")
    return content


def load_weights(auto_class: Any, folder: Path) -> PreTrainedModel:
    """A network in float32 and eval mode, without gradients.

    Args:
        auto_class: transformers class with ``from_pretrained``.
        folder: Folder with ``config.json`` and safetensors.

    Raises:
        ModelError: There are no safetensors, they cannot be read, or they lack a weight of the network.
    """
    require_safetensors(folder)
    try:
        with _quiet():
            network, report = auto_class.from_pretrained(
                folder,
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
                trust_remote_code=False,
                use_safetensors=True,
            )
    except _UNREADABLE as error:
        raise ModelError(f"{folder}: the weights cannot be read: {error}", hint="copy the model again") from error
    missing = sorted(key for key in report["missing_keys"] if not key.endswith(_TRAINING_ONLY))
    if missing:
        kind = type(network).__name__
        raise ModelError(
            f"{folder}: {len(missing)} weights of {kind} are missing, the first is {missing[0]!r}",
            hint="take a checkpoint that was trained for speech recognition",
        )
    network.requires_grad_(False)
    return network.eval()  # type: ignore[no-any-return]  # transformers' auto classes are untyped


def load_tokenizer(folder: Path) -> Any:
    """The folder's tokenizer.

    Raises:
        ModelError: It is missing or cannot be read.
    """
    if not any((folder / name).is_file() for name in _VOCABULARIES):  # transformers would make up an empty one
        raise ModelError(f"{folder}: no tokenizer", hint=f"the folder needs {' or '.join(_VOCABULARIES)}")
    return _load_part(AutoTokenizer, folder, "tokenizer")


def load_feature_extractor(folder: Path) -> Any:
    """The folder's feature extractor.

    Raises:
        ModelError: It is missing or cannot be read.
    """
    return _load_part(AutoFeatureExtractor, folder, "feature extractor")


def require_safetensors(folder: Path) -> None:
    """Checks that weights can be read without unpickling.

    Raises:
        ModelError: The folder holds no safetensors.
    """
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        raise ModelError(
            f"{folder}: {pickles[0]} is a pickle, which can run code; expected safetensors",
            hint="convert the checkpoint to safetensors first",
        )
    raise ModelError(f"{folder}: no weights", hint="the folder needs config.json and model.safetensors")


def _load_part(auto_class: Any, folder: Path, what: str) -> Any:
    try:
        with _quiet():
            return auto_class.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelError(f"{folder}: the {what} cannot be read: {error}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps transformers' progress bars and load reports off the terminal: what matters becomes an error."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
