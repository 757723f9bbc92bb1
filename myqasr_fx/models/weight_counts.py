"""How many weights every bundle of a model has codes of, counted from the headers of its files. Loads no torch."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from myqasr_fx.models.builtin import BUILTIN_MODELS
from myqasr_fx.models.ctranslate2 import read_ctranslate2
from myqasr_fx.models.hub_cache import CTRANSLATE2, SAFETENSORS, cached_snapshot
from myqasr_fx.models.names import check_name
from myqasr_fx.models.sizes import Shapes
from myqasr_fx.models.stored_tensors import read_shapes
from myqasr_fx.models.weight_files import find_weight_files

_MATRICES = "q_proj|k_proj|v_proj|out_proj|fc[12]|intermediate_dense|output_dense|linear_[qkv]|linear_out"
_COUNTED = re.compile(
    rf"(^|\.)((en|de)coder\.layers\.\d+\.([\w.]+\.)?({_MATRICES})|decoder\.embed_tokens)\.weight$"
    r"|^((en|de)coder/layer_\d+/[a-z_/]+/linear_\d|decoder/embeddings)/weight$"  # as CTranslate2 names them
)
"""Matrices of attention and feed-forward layers and the table of tokens, which no graph does without or folds away."""


def count_weights(name_or_path: str) -> int | None:
    """Weights that are sure to be stored with a width of their own; None where the files are not on this machine.

    A lower bound: convolutions, heads and what only some models have are left out.

    Args:
        name_or_path: As for :func:`~myqasr_fx.models.load.load_model`.

    Raises:
        ModelError: There is no such model, or its files cannot be read.
    """
    shapes = _shapes(name_or_path)
    return None if shapes is None else sum(math.prod(shapes[name]) for name in shapes if _COUNTED.search(name))


def _shapes(name_or_path: str) -> Shapes | None:
    """Shapes of the tensors by their names in the files."""
    folder, hub_id = check_name(name_or_path), name_or_path
    if folder is None and (builtin := BUILTIN_MODELS.get(name_or_path)) is not None:
        if builtin.installed:
            return _of_ctranslate2([path for file in builtin.weights if (path := file.locate()) is not None])
        hub_id = builtin.hub_id
    folder = folder or cached_snapshot(hub_id)
    if folder is None:
        return None
    if (folder / CTRANSLATE2).is_file() and not any(folder.glob(f"{SAFETENSORS}*")):
        return _of_ctranslate2([folder / CTRANSLATE2])
    return read_shapes(find_weight_files(folder))


def _of_ctranslate2(parts: Sequence[Path]) -> Mapping[str, tuple[int, ...]]:
    return {name: array.shape for name, array in read_ctranslate2(parts).variables.items()}
