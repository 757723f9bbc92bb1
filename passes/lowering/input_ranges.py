"""What the lowerings share: rounded inputs, and annotations that end with them."""

from __future__ import annotations

from collections.abc import Callable

from torch import fx

from passes.graph import meta, ops
from passes.numbers.affine import QParams
from passes.numbers.dynamic_range import DynamicRange
from passes.numbers.twin import ActivationQParams

_CONSUMED = (meta.WEIGHT_QPARAMS, meta.ACTIVATION_QPARAMS, meta.QUANTIZED_WEIGHT)

InputRange = ActivationQParams | DynamicRange
"""How an input is rounded: to ranges that were calibrated, or to that of each call."""


class InputRounding:
    """Rounds the inputs that carry activation qparams; readers of one value with equal qparams share one rounding.

    Args:
        emit: Inserts, at the graph's insertion point, the nodes that round a value to its range and back.
    """

    def __init__(self, emit: Callable[[fx.Node, InputRange], fx.Node]) -> None:
        self._emit = emit
        self._rounded: dict[tuple[fx.Node, object], fx.Node] = {}

    def __call__(self, node: fx.Node) -> bool:
        """Makes ``node``, which must come after every node seen before, read rounded inputs; True when it has some."""
        qparams = meta.get(node, meta.ACTIVATION_QPARAMS) or ()
        role = ops.role_of(node)
        positions = () if role is None else role.activations
        for position, params in zip(positions, qparams, strict=False):
            value = node.args[position]
            if params is None or not isinstance(value, fx.Node):
                continue
            key = (value, _numbers(params))
            if key not in self._rounded:
                with node.graph.inserting_before(node):
                    self._rounded[key] = self._emit(value, params)
            node.update_arg(position, self._rounded[key])
        return any(params is not None for params in qparams)


def _numbers(qparams: InputRange) -> object:
    """Equal for qparams that round alike."""
    if isinstance(qparams, QParams):
        return qparams.bits, float(qparams.scale), int(qparams.zero_point)
    return qparams


def forget(node: fx.Node) -> None:
    """Drops the annotations that a lowering has written into the graph, and the tensors they hold."""
    for key in _CONSUMED:
        node.meta.pop(key, None)
