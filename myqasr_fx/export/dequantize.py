"""The operators that turn a stored weight back into floats, in each form that onnxruntime runs well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import onnx_ir as ir

from myqasr_fx.errors import ExportError
from myqasr_fx.export.emitter import Emitter
from myqasr_fx.export.stored_weight import KERNEL_GROUPS, StoredWeight, WeightReader
from passes.lowering.qdq_ops import FORM_FOLDED, FORM_INTEGER, FORM_MATMUL
from passes.numbers.scheme import MAX_PACKED_BITS

_FINE_GROUPS = (32, 16)
"""Those of trellis codes: kernels round what they read to 8 bits by groups, and inputs times gains differ more."""

_SMALL = (ir.DataType.UINT2, ir.DataType.UINT4)


def grouped(reader: WeightReader) -> ir.Value:
    """(K, n): DequantizeLinear over groups along K, the pattern that onnxruntime fuses into MatMulNBits.

    The gains of a trellis are left to what it is multiplied with.
    """
    emitter, weight = reader.emitter, reader.weight
    group = weight.cols // weight.groups
    sizes = KERNEL_GROUPS if weight.table is None else _FINE_GROUPS
    block = next((size for size in sizes if group % size == 0), None)
    if block is None:
        raise ExportError(f"{weight.name}: groups of {group} weights, expected a multiple of {KERNEL_GROUPS[-1]}")
    # Where 8-bit products are not to saturate, onnxruntime turns signed bytes into unsigned ones, for whose groups it
    # then gives one zero point too few.
    signed = weight.bits == MAX_PACKED_BITS and weight.zero_point is None
    native = None if signed else reader.native()
    if native is not None:
        codes, zero_point = native
    else:
        codes, zero_point = reader.codes(), reader.zero_point()
        codes = emitter.distinct(codes, (weight.cols, weight.rows), weight.name)
        if weight.container in _SMALL:
            codes = emitter.cast(codes, weight.container)
    size = (weight.cols // block, weight.rows)
    scale = emitter.distinct(_spread(emitter, weight, reader.scale(), size), size, (size, weight.scale.tobytes()))
    inputs = [codes, scale]
    if zero_point is not None:
        inputs.append(_zero_points(emitter, weight, zero_point, size))
    return emitter.op("DequantizeLinear", *inputs, axis=0, block_size=block)


def _zero_points(emitter: Emitter, weight: StoredWeight, zero_point: ir.Value, size: tuple[int, int]) -> ir.Value:
    """One zero point a kernel group, in the codes' element type."""
    element = zero_point.dtype if zero_point.dtype in _SMALL else weight.container
    if zero_point.dtype in _SMALL and weight.scale.shape == size:
        return zero_point
    if zero_point.dtype in _SMALL:
        zero_point = emitter.cast(zero_point, ir.DataType.UINT8)  # Expand takes no type of less than 8 bits
    zero_point = _spread(emitter, weight, zero_point, size)
    return emitter.cast(zero_point, element) if element in _SMALL else zero_point


def _spread(emitter: Emitter, weight: StoredWeight, value: ir.Value, size: tuple[int, int]) -> ir.Value:
    """(G, n), or smaller where an axis shares a number, repeated to ``size`` (K / block, n); folded at load."""
    stored = value.shape.numpy() if value.const_value is not None and value.shape is not None else weight.scale.shape
    if stored == size:
        return value
    if stored[0] == 1:
        return emitter.op("Expand", value, emitter.integers(*size))
    value = emitter.op("Unsqueeze", value, emitter.integers(1))
    value = emitter.op("Expand", value, emitter.integers(weight.groups, size[0] // weight.groups, weight.rows))
    return emitter.reshape(value, size)


def integer(reader: WeightReader) -> ir.Value:
    """(K, n): DequantizeLinear of 8-bit codes a tensor or a column, the pattern of the integer kernels."""
    emitter, weight = reader.emitter, reader.weight
    if weight.groups != 1:
        raise ExportError(
            f"{weight.name}: integer kernels take one scale a tensor or a channel",
            hint="use --granularity tensor or channel with --activations int8",
        )
    shape: list[int] = [] if weight.scale.shape[1] == 1 else [weight.rows]
    scale = emitter.reshape(reader.scale(), shape)
    native = reader.native() if weight.bits == 8 and weight.zero_point is None else None
    if native is not None:
        return emitter.op("DequantizeLinear", native[0], scale, axis=1)
    if weight.zero_point is None:
        return emitter.op("DequantizeLinear", _signed(emitter, reader.codes(), reader.zero_point()), scale, axis=1)
    # Signed as well: the runtime's products over unsigned weights take two to three times as long.
    middle = emitter.byte(1 << (max(weight.bits, 8 if weight.code_step > 1 else 0) - 1))
    codes, zeros = (_signed(emitter, value, middle) for value in (reader.codes(), reader.zero_point()))
    return emitter.op("DequantizeLinear", codes, scale, emitter.reshape(zeros, shape), axis=1)


def _signed(emitter: Emitter, values: ir.Value, middle: ir.Value) -> ir.Value:
    """INT8 difference of two UINT8 tensors; folded at load."""
    wide = [emitter.cast(value, ir.DataType.INT32) for value in (values, middle)]
    return emitter.cast(emitter.op("Sub", *wide), ir.DataType.INT8)


def folded(reader: WeightReader) -> ir.Value:
    """The weight's own shape, by plain arithmetic on stored codes that onnxruntime folds to a float constant."""
    emitter, weight = reader.emitter, reader.weight
    zero_point = emitter.cast(reader.zero_point(), ir.DataType.FLOAT)
    matrix = _with_gains(reader, _affine(reader, reader.codes(), (reader.scale(), zero_point)))
    transposed = emitter.op("Transpose", matrix, perm=[1, 0])
    return transposed if len(weight.shape) == 2 else emitter.reshape(transposed, weight.shape)


def rows(reader: WeightReader, indices: ir.Value) -> ir.Value:
    """(…, K) rows at ``indices`` (…) of affine codes: gathers codes, scales and zero points of those rows alone."""
    emitter, cols = reader.emitter, reader.weight.cols
    flat = emitter.reshape(indices, [-1])
    per_tensor = reader.weight.scale.shape[1] == 1
    # The kernel fusion refuses a scale or zero point that something else reads too, so the lookup gathers before it
    # converts scales, and from a float copy of the zero points.
    scale = reader.scale() if per_tensor else reader.scale_rows(flat)
    zero_point = emitter.cast(reader.zero_point(), ir.DataType.FLOAT)
    if not per_tensor and reader.weight.zero_point is not None:
        zero_point = emitter.op("Gather", zero_point, flat, axis=1)
    matrix = _affine(reader, reader.rows(flat), (scale, zero_point))
    found = emitter.op("Transpose", matrix, perm=[1, 0])
    shape = emitter.op("Concat", emitter.op("Shape", indices), emitter.integers(cols), axis=0)
    return emitter.op("Reshape", found, shape)


def _affine(reader: WeightReader, codes: ir.Value, qparams: tuple[ir.Value, ir.Value]) -> ir.Value:
    """(K, m) float32 values of (K, m) uint8 codes with (G, m) float32 scales and zero points."""
    emitter, weight = reader.emitter, reader.weight
    scale, zeros = qparams
    values = emitter.cast(codes, ir.DataType.FLOAT)
    several = weight.groups > 1
    if several:
        values = emitter.reshape(values, [weight.groups, weight.cols // weight.groups, -1])
        scale = emitter.op("Unsqueeze", scale, emitter.integers(1))
    if several and weight.zero_point is not None:
        zeros = emitter.op("Unsqueeze", zeros, emitter.integers(1))
    values = emitter.op("Mul", emitter.op("Sub", values, zeros), scale)
    return emitter.reshape(values, [weight.cols, -1]) if several else values


def _with_gains(reader: WeightReader, matrix: ir.Value) -> ir.Value:
    """(K, m) values times the gains of a trellis."""
    gains = reader.gains()
    if gains is None:
        return matrix
    return reader.emitter.op("Mul", matrix, reader.emitter.op("Unsqueeze", gains, reader.emitter.integers(1)))


READERS: Mapping[str, Callable[[WeightReader], ir.Value]] = MappingProxyType(
    {FORM_MATMUL: grouped, FORM_INTEGER: integer, FORM_FOLDED: folded}
)
"""Form to what emits it."""
