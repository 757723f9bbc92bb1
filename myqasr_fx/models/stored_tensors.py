"""Tensors of safetensors files: names, shapes and types from their headers, the data only when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from myqasr_fx.errors import ModelError
from myqasr_fx.models.refusal import place, reason, shown

FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A tensor that lies in a file.

    Args:
        path: The file.
        shape: Its sizes.
        dtype: Under safetensors' names, for example ``BF16``.
        data: Indexed with ``...``, gives the tensor.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: str
    data: Any


def read_tensors(files: Iterable[Path]) -> dict[str, StoredTensor]:
    """All tensors of the files.

    Raises:
        ModelError: A file is damaged, or a tensor lies in two files.
    """
    tensors: dict[str, StoredTensor] = {}
    for path in files:
        for name, tensor in _read(path).items():
            if name in tensors:
                raise ModelError(
                    f"{place(path)}: tensor {shown(name)} lies in {tensors[name].path.name} too",
                    hint="copy the model again",
                )
            tensors[name] = tensor
    return tensors


def read_shapes(files: Iterable[Path]) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors of the files. Loads no torch.

    Raises:
        ModelError: A file is damaged.
    """
    return {name: tensor.shape for path in files for name, tensor in _read(path, "np").items()}


def _read(path: Path, framework: str = "pt") -> Mapping[str, StoredTensor]:
    try:
        file = safe_open(str(path), framework)
        slices = {name: file.get_slice(name) for name in file.keys()}  # it is no mapping
        return {name: StoredTensor(path, tuple(s.get_shape()), s.get_dtype(), s) for name, s in slices.items()}
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            f"{place(path)}: the weights cannot be read: {reason(error)}", hint="copy the model again"
        ) from error
