"""The codes, scales and zero points of a bundle's files, as the rounding left them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper

from myqasr_fx.errors import BundleError
from myqasr_fx.export.read_weights import Parts, stored_parts, stored_strings, unpacked
from passes.errors import QuantizationError
from passes.numbers.affine import QParams, zero_point_bits
from passes.numbers.quantized_weight import FloatBlock, QuantizedBlock, QuantizedWeight
from passes.numbers.scheme import FLOAT_BITS, LayerScheme, RowBlock

_FAR = 0.05
"""Share of a weight's squares by which float16 rows differ from it at most: they make up for what others lost."""

_AGAIN = "make the base again with this version of myqasr_fx"


def read_codes(
    files: Iterable[Path], schemes: Mapping[str, LayerScheme], weights: Mapping[str, torch.Tensor]
) -> dict[str, QuantizedWeight]:
    """Layer name to its codes and float16 rows; layers that are all float32 are left out.

    Args:
        files: ONNX files of a bundle.
        schemes: Layer name to the widths of its rows.
        weights: Layer name to the weight of the model, for what is kept at 32 bits, and for its shape.

    Raises:
        BundleError: A file lacks a block, or holds another than its record tells.
    """
    files = tuple(files)
    parts, halves, found = stored_parts(files), _halves(files), dict[str, QuantizedWeight]()
    for name, scheme in schemes.items():
        if all(block.spec.bits == FLOAT_BITS for block in scheme.blocks):
            continue
        matrix = weights[name].detach().reshape(len(weights[name]), -1)
        blocks: list[QuantizedBlock | FloatBlock] = []
        for index, block in enumerate(scheme.blocks):
            try:
                if block.spec.is_float:
                    own = matrix[block.start : block.stop]
                    values = _stored_half(halves, own) if block.spec.half else own
                    blocks.append(FloatBlock(block, values))
                else:
                    blocks.append(_block(parts[f"{name}.{index}"], block, matrix.shape[1]))
            except (KeyError, ValueError, QuantizationError) as error:
                raise BundleError(f"the files lack block {index} of {name}: {error}", hint=_AGAIN) from error
        found[name] = QuantizedWeight(tuple(weights[name].shape), tuple(blocks))
    return found


def _block(parts: Parts, block: RowBlock, cols: int) -> QuantizedBlock:
    """Codes (n, K), scales and zero points (n, G) of one block, from (K, n) and (G, n)."""
    spec, rows = block.spec, block.rows
    scale = torch.from_numpy(parts["scale"].astype(np.float32).T.copy())
    group = cols if spec.granularity.kind == "tensor" else spec.granularity.group_of(cols)
    middle, trellis = 1 << (spec.level_bits - 1), None
    zero = np.full(parts["scale"].shape, middle, np.int32)
    if spec.is_trellis:
        trellis = stored_strings(parts, spec.bits, (cols, rows))
        codes = trellis.levels()
    elif "codes" in parts:  # signed ones count from the middle
        codes = (parts["codes"].astype(np.int16).reshape(cols, rows) + middle * spec.symmetric).astype(np.uint8)
        zero = zero if spec.symmetric else parts["zero_point"].astype(np.int32).reshape(zero.shape)
    else:
        codes = unpacked(parts, "codes", spec.bits, (cols, rows))
        if not spec.symmetric:
            zero = unpacked(parts, "zero_point", zero_point_bits(spec.bits), zero.shape).astype(np.int32)
    zero_point = torch.from_numpy(zero.T.copy())
    qparams = QParams(spec.level_bits, spec.symmetric, group, scale, zero_point)
    return QuantizedBlock(block, torch.from_numpy(codes.T.copy()), qparams, trellis=trellis)


def _halves(files: Iterable[Path]) -> list[npt.NDArray[np.generic]]:
    """All float16 matrices and kernels: transposed ones have lost their names."""
    tensors = (tensor for path in files for tensor in onnx.load(path).graph.initializer)
    return [numpy_helper.to_array(t) for t in tensors if t.data_type == onnx.TensorProto.FLOAT16 and len(t.dims) > 1]


def _stored_half(stored: Iterable[npt.NDArray[np.generic]], own: torch.Tensor) -> torch.Tensor:
    """The stored rows, or columns, that are nearest to the model's (n, K).

    Raises:
        ValueError: None is near.
    """
    sized = [torch.from_numpy(values.astype(np.float32)) for values in stored if values.size == own.numel()]
    ways = [way for found in sized for way in ((found, found.T) if found.ndim == 2 else (found,))]
    rows = [way.reshape(own.shape) for way in ways if len(way) == len(own)]
    best = min(rows, key=lambda way: float((way - own).square().sum()), default=None)
    if best is None or float((best - own).square().sum()) > _FAR * float(own.square().sum()):
        raise ValueError("no stored float16 weight is like it")
    return best
