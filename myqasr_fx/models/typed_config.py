"""A ``config.json`` as the configuration of a known class: its own fields only, of the types that the class names.

Whatever else the file holds (code to load, kernels, a dtype, paths of whoever trained the model) does not get any
further.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import torch
from transformers import PretrainedConfig
from transformers.activations import ACT2FN

from myqasr_fx.errors import ModelError
from myqasr_fx.models.json_file import is_count, read_json
from myqasr_fx.models.quiet import quiet
from myqasr_fx.models.refusal import place, reason, shown, wrong

_REFUSED = {
    "auto_map": "no code beside the model: it is never run",
    "quantization_config": "full-precision weights",
}
"""Keys that make the model another one than its tensors tell, to what is expected instead."""

_OURS = frozenset(field.name for field in fields(PretrainedConfig)) | {"use_cache"}
"""Fields that say nothing about the network."""

_MOST = 1 << 31
_LONGEST_LIST = 1024

_CHOICES: Mapping[str, tuple[str | None, ...]] = {
    **dict.fromkeys(("activation_function", "hidden_act", "feat_extract_activation"), tuple(ACT2FN)),
    "feat_extract_norm": ("group", "layer"),
    "position_embeddings_type": ("relative", "rotary", None),
}
_FRACTIONS = ("dropout", "layerdrop", "_prob")


def read_config(path: Path, config_class: type[PretrainedConfig]) -> PretrainedConfig:
    """The configuration in a ``config.json``.

    Args:
        path: The file.
        config_class: Of the file's ``model_type``.

    Raises:
        ModelError: A value has another type than the class expects, or asks for code or quantized weights.
    """
    content = read_json(path)
    for key, expected in _REFUSED.items():
        if content.get(key):
            raise wrong(path, key, content[key], expected)
    hints = get_type_hints(config_class, localns={"torch": torch})  # the base class names it without importing it
    known = {field.name for field in fields(config_class)} - _OURS
    values = {name: value for name, value in _spelled_out(path, content, config_class).items() if name in known}
    for name, value in values.items():
        _check(path, name, value, hints[name])
    try:
        with quiet():
            return config_class(**values)
    except Exception as error:  # its validators raise classes of their own
        raise ModelError(f"{place(path)}: is not the configuration of a model: {reason(error)}") from error


def _spelled_out(path: Path, content: Mapping[str, Any], config_class: type[PretrainedConfig]) -> dict[str, Any]:
    """``content`` with values under their own names where it has them under a second one.

    Raises:
        ModelError: The two names have two values.
    """
    values = dict(content)
    for alias, name in config_class.attribute_map.items():
        if alias not in content:
            continue
        if name in content and content[name] != content[alias]:
            raise wrong(path, alias, content[alias], f"{shown(content[name])} as in {name}")
        values[name] = content[alias]
    return values


def _check(path: Path, name: str, value: object, hint: Any) -> None:
    if not _fits(value, hint):
        raise wrong(path, name, value, _words(hint))
    if name in _CHOICES and value not in _CHOICES[name]:
        known = ", ".join(str(choice) for choice in _CHOICES[name][:4])
        raise wrong(path, name, value, f"one of {known}" + (", …" if len(_CHOICES[name]) > 4 else ""))
    if name.endswith(_FRACTIONS) and isinstance(value, int | float) and not 0 <= value <= 1:
        raise wrong(path, name, value, "a number from 0 to 1")
    if name == "layer_norm_eps" and isinstance(value, int | float) and not 0 < value < 1:
        raise wrong(path, name, value, "a number between 0 and 1")


def _fits(value: object, hint: Any) -> bool:
    """True when ``value`` is what the annotation says; no bool is an int, and no float infinite."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is Literal:
        return value in arguments
    if hint is int:
        return is_count(value, -_MOST, _MOST)
    if hint is float:
        return type(value) in (int, float) and math.isfinite(value) and abs(value) < _MOST  # type: ignore[arg-type]
    if hint in (bool, str, NoneType):
        return isinstance(value, hint)
    if hint in (list, tuple) or origin in (list, tuple):
        element = arguments[0] if arguments else int
        return isinstance(value, list) and len(value) <= _LONGEST_LIST and all(_fits(v, element) for v in value)
    return False


def _words(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", NoneType: "null"}
    arguments = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    words = {names.get(argument, "a list of whole numbers") for argument in arguments}
    if "a number" in words:
        words.discard("a whole number")
    return " or ".join(sorted(words))
