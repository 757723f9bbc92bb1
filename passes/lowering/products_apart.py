"""Products that onnxruntime would join with what stands beside them before it looks for weights of few bits.

It makes a product and its bias, or another sum, one Gemm where the product has two axes, and where rows that were
looked up have lengths that it knows. Behind a product that is clipped it looks for an integer result, and so not for
the weights. One more axis, which is taken off again behind the product, keeps them apart.
"""

from __future__ import annotations

import torch
from torch import fx

import passes.lowering.qdq_ops  # noqa: F401  registers the lookups named below

aten = torch.ops.aten

_CLIPS = frozenset(
    (aten.relu.default, aten.relu_.default, aten.clamp.default, aten.clamp_min.default, aten.hardtanh.default)
)
_SUMS = frozenset((aten.add.Tensor, aten.add_.Tensor))
_LOOKUPS = frozenset((torch.ops.myqasr.dequantize_rows.default, torch.ops.myqasr.dequantize_strings.default))


def stands_apart(node: fx.Node) -> bool:
    """True for a linear layer whose product needs an axis more.

    Args:
        node: ``linear(x, weight, bias)``, or without a bias; what it reads is lowered already.
    """
    source, value = node.args[0], node.meta.get("val")
    if len(node.args) < 3 or node.args[2] is None:
        joins = _CLIPS | _SUMS if value is not None and value.dim() == 2 else _CLIPS
        return any(user.target in joins for user in node.users)
    if value is None or value.dim() == 2:
        return value is not None
    looked_up = isinstance(source, fx.Node) and source.target in _LOOKUPS
    return looked_up and all(isinstance(length, int) for length in value.shape)
