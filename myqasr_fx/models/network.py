"""The network of a Hugging Face folder, from tensors that were checked against its configuration."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel

from myqasr_fx.errors import ModelError
from myqasr_fx.models.language_adapter import LanguageAdapter
from myqasr_fx.models.network_tensors import check_tensors, expected_tensors, is_unread, renamed
from myqasr_fx.models.quiet import quiet
from myqasr_fx.models.refusal import place, reason, shown
from myqasr_fx.models.sizes import Shapes
from myqasr_fx.models.stored_tensors import FLOATS, StoredTensor, read_tensors
from myqasr_fx.models.typed_config import read_config
from myqasr_fx.models.weight_files import find_weight_files, refuse_language_adapters
from myqasr_fx.process.memory import check_room

CheckSizes = Callable[[Path, PretrainedConfig, Shapes, str], None]
"""Checks sizes: the configuration's file, the configuration, the tensors' shapes, and the body's prefix."""


def load_network(
    folder: Path,
    config_class: type[PretrainedConfig],
    network_class: type[PreTrainedModel],
    check_sizes: CheckSizes,
    adapter: LanguageAdapter | None = None,
) -> PreTrainedModel:
    """A network in float32 and eval mode, without gradients.

    transformers gets a configuration and tensors, no folder: it opens no file.

    Args:
        folder: Folder with ``config.json`` and safetensors.
        config_class: Of the network's configuration.
        network_class: Of the network.
        check_sizes: Of the family.
        adapter: Goes before the tensors of the same names.

    Raises:
        ModelError: The weights are no safetensors in the folder, or they and the configuration do not make a network.
        MyqasrError: They take more memory than is free.
    """
    files = find_weight_files(folder)
    if adapter is None:
        refuse_language_adapters(folder)
    path = folder / "config.json"
    config = read_config(path, config_class)
    config.architectures = [network_class.__name__]
    prefix = f"{network_class.base_model_prefix}."
    stored = read_tensors(files)
    names = renamed(stored, prefix, folder)
    tensors = {name: stored[old] for name, old in names.items()}
    of_language = adapter.read(prefix) if adapter else {}
    tensors |= of_language
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    if adapter and (head := shapes.get("lm_head.weight")):
        config.vocab_size = head[0]  # each language has its own letters
    check_sizes(path, config, shapes, prefix)
    expected = expected_tensors(path, config, network_class)
    if adapter:
        adapter.check_whole(of_language, expected)
    check_tensors(folder, expected, shapes)
    check_room(
        f"loading {place(folder)}", 4 * sum(prod(expected.shapes[n]) for n in expected.shapes.keys() - expected.tied)
    )
    wanted = {name: tensor for name, tensor in tensors.items() if name in expected.shapes}
    _check_types(wanted)
    return _build(folder, config, network_class, wanted)


def _check_types(tensors: dict[str, StoredTensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATS and not is_unread(name):
            raise ModelError(
                f"{place(tensor.path)}: tensor {shown(name)} is {tensor.dtype}, expected one of {', '.join(FLOATS)}",
                hint="take the model without quantization",
            )


def _build(
    folder: Path, config: PretrainedConfig, network_class: type[PreTrainedModel], tensors: dict[str, StoredTensor]
) -> PreTrainedModel:
    try:
        with quiet():
            loaded: Any = network_class.from_pretrained(
                None,
                config=config,
                state_dict={name: tensor.data for name, tensor in tensors.items()},
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
            )
    except Exception as error:  # transformers raises whatever its loaders do
        raise ModelError(
            f"{place(folder)}: the weights cannot be read: {reason(error)}", hint="copy the model again"
        ) from error
    network, report = loaded
    left = report["unexpected_keys"] | report["mismatched_keys"] | set(report["error_msgs"])
    if left:
        raise ModelError(f"{place(folder)}: tensor {shown(min(map(str, left)))} was not read")
    network.config.name_or_path = ""
    built: PreTrainedModel = network.requires_grad_(False).eval()
    return built
