"""The weights and floats of a bundle's files, as the floats that they stand for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from myqasr_fx.bundle.bundle import BlockRecord, LayerRecord
from myqasr_fx.errors import BundleError
from myqasr_fx.export.row_codes import CODES, SCALES
from myqasr_fx.export.trellis import table_name
from passes.errors import QuantizationError
from passes.numbers.affine import step, zero_point_bits
from passes.numbers.packing import PackedField, fields, unpack
from passes.numbers.scheme import MAX_PACKED_BITS, TRELLIS_BITS
from passes.numbers.trellis import MIDDLE
from passes.numbers.trellis_codes import TrellisCodes, stored_widths

Array = npt.NDArray[np.float32]

FLOAT16 = onnx.TensorProto.FLOAT16

_PART = re.compile(r"(.+\.\d+)\.((?:codes|zero_point)[1248]?|scale|trellis|gain)")

_TABLES = {table_name(bits) for bits in TRELLIS_BITS}

Parts = Mapping[str, npt.NDArray[np.generic]]
"""What is stored of one block: kind of tensor to values, scales and gains as the float16 that they stand for."""


def read_weights(files: Iterable[Path], layers: Iterable[LayerRecord]) -> dict[str, dict[int, Array]]:
    """Layer name to its quantized blocks, each by its index as (n, K) float32.

    Args:
        files: ONNX files of a bundle.
        layers: Its layers; blocks kept in float are left out.

    Raises:
        BundleError: A file lacks a block.
    """
    parts = stored_parts(files)
    found: dict[str, dict[int, Array]] = {}
    for layer in layers:
        cols = int(np.prod(layer.shape[1:])) if layer.shape else 0
        for index, block in enumerate(layer.blocks):
            if block.bits <= MAX_PACKED_BITS:
                try:
                    found.setdefault(layer.name, {})[index] = _values(parts[f"{layer.name}.{index}"], block, cols)
                except (KeyError, ValueError, QuantizationError) as error:
                    problem = f"the files lack block {index} of {layer.name}: {error}"
                    raise BundleError(problem, hint="quantize again") from error
    return found


def stored_parts(files: Iterable[Path]) -> dict[str, Parts]:
    """Name of each stored block, that of its layer and its index, to what the files hold of it."""
    parts: dict[str, dict[str, npt.NDArray[np.generic]]] = {}
    for path in files:
        initializers = onnx.load(path).graph.initializer
        tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in initializers}
        grid = stored_grid(initializers)
        for name, values in tensors.items():
            if match := _PART.fullmatch(name):
                if match[2] in ("scale", "gain") and values.dtype == np.uint8 and grid is not None:
                    values = grid[values]
                parts.setdefault(match[1], {})[match[2]] = values
                parts[match[1]].update((table, tensors[table]) for table in tensors.keys() & _TABLES)
    return dict(parts)


def read_floats(files: Iterable[Path], names: Collection[str]) -> dict[str, Array]:
    """What the files hold for these names as floats, which may be corrected biases, or as codes of rows; float32."""
    wanted = {f"{name}{end}" for name in names for end in ("", CODES, SCALES)}
    tensors = (tensor for path in files for tensor in onnx.load(path).graph.initializer if tensor.name in wanted)
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in tensors}
    floats = {name: values.astype(np.float32) for name, values in found.items() if values.dtype.kind == "f"}
    tables = {name: found[name + CODES] * floats[name + SCALES] for name in names if name + CODES in found}
    return {name: values for name, values in {**floats, **tables}.items() if name in names}


def holds_coded_tables(files: Iterable[Path]) -> bool:
    """True where the files hold tables as codes of rows."""
    return any(t.name.endswith(CODES) for path in files for t in onnx.load(path).graph.initializer)


def _values(parts: Parts, block: BlockRecord, cols: int) -> Array:
    """``(codes * step - zero point) * scale`` over groups along K, times the gains of a trellis."""
    bits, rows, trellis = int(block.bits), block.stop - block.start, None
    scale = parts["scale"].astype(np.float32)  # (G, n), 1 where shared
    if "trellis" in parts:
        trellis = stored_strings(parts, block.bits, (cols, rows))
        codes, zero = trellis.levels().astype(np.float32), np.full(scale.shape, MIDDLE)
    elif "codes" in parts:
        codes = parts["codes"].astype(np.float32).reshape(cols, rows)
        zero = parts.get("zero_point", np.zeros(scale.shape))  # signed codes count from the middle
    else:
        codes = unpacked(parts, "codes", bits, (cols, rows)).astype(np.float32) * step(bits, block.symmetric)
        zero = np.full(scale.shape, 1 << (bits - 1))
        if not block.symmetric:
            zero = unpacked(parts, "zero_point", zero_point_bits(bits), scale.shape)
    zero = zero.astype(np.float32).reshape(scale.shape)
    groups = (codes.reshape(len(scale), -1, rows) - zero[:, None, :]) * scale[:, None, :]
    values = groups.reshape(cols, rows)
    if trellis is not None:
        values *= trellis.gains[:, None]
    return np.ascontiguousarray(values.T, dtype=np.float32)


def stored_strings(parts: Parts, bits: float, size: tuple[int, int]) -> TrellisCodes:
    """The strings of a block of K and n trellis codes, of ``bits`` on average."""
    stored, gains = parts["trellis"].astype(np.uint8), parts["gain"].astype(np.float32)
    widths = np.unique(stored_widths(stored, int(bits), size[0]))
    tables = np.stack([parts[table_name(int(width))] for width in widths]).astype(np.uint8)
    return TrellisCodes.read(stored, int(bits), size, tables, gains)


def stored_grid(tensors: Iterable[onnx.TensorProto]) -> npt.NDArray[np.generic] | None:
    """The (256,) float16 table that scales of one byte index: the file's own, which another version may have chosen."""
    for tensor in tensors:
        if tensor.name.startswith("const_") and (tensor.data_type, list(tensor.dims)) == (FLOAT16, [256]):
            return numpy_helper.to_array(tensor)
    return None


def unpacked(parts: Parts, name: str, bits: int, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Codes or zero points that lie in packed fields."""
    packed, offset = [], 0
    for width in fields(bits):
        packed.append(PackedField(width, offset, parts[f"{name}{width}"].astype(np.uint8).reshape(-1)))
        offset += width
    return unpack(packed, bits, shape)
