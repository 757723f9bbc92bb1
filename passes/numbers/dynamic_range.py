"""An activation whose range is found anew on every call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DynamicRange:
    """Unsigned 8 bits over all values that a node reads in one call, 0 included.

    One scale serves the tensor::

        scale      = (max(x, 0) - min(x, 0)) / 255
        zero_point = round(-min(x, 0) / scale)

    It stands where :class:`passes.numbers.affine.QParams` of an activation may stand. Values of a batch share the
    range.

    Source: ONNX DynamicQuantizeLinear-11.
    """
