"""The one place that spells keys of ``node.meta``.

Values are frozen, because ``copy.deepcopy`` of a GraphModule shares them. Re-export and ``fx.Transformer`` drop private
keys, so a pass that must survive them writes what it knows into the graph itself.
"""

from __future__ import annotations

from typing import Any

from torch import fx

LAYER = "myqasr_layer"
"""``str``: name of the layer whose weight, or whose attention product, this node computes."""

SENSITIVITY = "myqasr_sensitivity"
"""``float``: sensitivity of the node's layer; larger is more sensitive."""

SCHEME = "myqasr_scheme"
"""``passes.numbers.scheme.LayerScheme``: the widths of the node's layer."""

WEIGHT_QPARAMS = "myqasr_weight_qparams"
"""``tuple[passes.numbers.affine.QParams, ...]``: one a row block."""

ACTIVATION_QPARAMS = "myqasr_activation_qparams"
"""``tuple[passes.lowering.input_ranges.InputRange | None, ...]``: one an input of the node that is quantized."""

QUANTIZED_WEIGHT = "myqasr_quantized_weight"
"""``passes.numbers.quantized_weight.QuantizedWeight``: integer codes and their qparams."""

ALL = (LAYER, SENSITIVITY, SCHEME, WEIGHT_QPARAMS, ACTIVATION_QPARAMS, QUANTIZED_WEIGHT)


def get(node: fx.Node, key: str) -> Any:
    """Value of ``key`` on ``node``, or None."""
    return node.meta.get(key)


def put(node: fx.Node, key: str, value: object) -> bool:
    """Sets ``key`` on ``node``; True when that changed it."""
    old = node.meta.get(key)
    if old is value or (type(old) is type(value) and isinstance(value, (str, int, float)) and old == value):
        return False
    node.meta[key] = value
    return True
