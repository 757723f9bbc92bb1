"""Copies ONNX files with other values in some of their float tensors; graphs, codes and sizes stay."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from myqasr_fx.errors import ExportError
from myqasr_fx.export.read_weights import stored_grid

Floats = Mapping[str, npt.NDArray[np.float32]]
"""Name of a tensor to its values: biases as float32, scales as what indices into the file's grid stand for."""


def replace_floats(source: Path, target: Path, floats: Floats) -> None:
    """Writes ``target``, a copy of ``source`` with those of ``floats`` that it holds.

    Args:
        source: ONNX file; a file of external data beside it is copied, too.
        target: To write.
        floats: In the shapes that the file stores.

    Raises:
        ExportError: Values cannot be stored as the file stores them.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    model = onnx.load(source, load_external_data=False)
    grid = stored_grid(model.graph.initializer)
    changed = [(t, _stored(t, floats[t.name], grid)) for t in model.graph.initializer if t.name in floats]
    for location in sorted(
        {str(_place(tensor)["location"]) for tensor in model.graph.initializer if _is_outside(tensor)}
    ):
        shutil.copyfile(source.parent / location, target.parent / location)
    for tensor, data in changed:
        if _is_outside(tensor):
            place = _place(tensor)
            with (target.parent / str(place["location"])).open("r+b") as file:
                file.seek(int(place.get("offset", 0)))
                file.write(data)
        else:
            tensor.raw_data = data
    target.write_bytes(model.SerializeToString())


def _stored(tensor: TensorProto, values: npt.NDArray[np.float32], grid: npt.NDArray[np.generic] | None) -> bytes:
    """The bytes of ``values``, as many as the tensor has."""
    if tensor.data_type == TensorProto.UINT8 and grid is not None:
        known = grid.astype(np.float32)
        stored = np.minimum(np.searchsorted(known, values), len(known) - 1).astype(np.uint8)
        exact = known[stored]
    else:
        stored = values.astype(np.float16 if tensor.data_type == TensorProto.FLOAT16 else np.float32)
        exact = stored.astype(np.float32)
    if tuple(tensor.dims) != values.shape or not np.array_equal(exact, values):
        raise ExportError(f"{tensor.name}: the base stores {tuple(tensor.dims)} values of another kind")
    data: bytes = stored.tobytes()
    return data


def _is_outside(tensor: TensorProto) -> bool:
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def _place(tensor: TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}
