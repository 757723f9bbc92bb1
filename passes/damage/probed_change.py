"""How far the error of each row of a layer moves a probe of the model's output, when the error is known.

``passes.damage.curvature`` expects what errors cost before they are known, and so takes the frames that a layer reads
as uncorrelated. Of a known error E, one backward pass tells the change of ``v . logits`` that each row causes, all
frames together::

    c_r = sum_t g_tr (e_r . x_t),   KL = 1/2 sum_r E[c_r^2]

with ``g`` the gradient of ``v . logits`` for the random probe v of ``passes.damage.curvature.probe``. Rounding errors
of two rows have nothing to do with each other, so their products average out and are left away: one probe is enough for
a layer of some hundred rows.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, fx

from passes.errors import QuantizationError
from passes.graph import ops
from passes.graph.ops import LayerKind


def probed_change(node: fx.Node, args: tuple[Any, ...], error: Tensor, gradient: Tensor) -> Tensor:
    """C (N,) of one use of a layer.

    Args:
        node: Canonical node with a weight.
        args: What it was called with.
        error: Of its weight, in the weight's shape.
        gradient: Of its result.

    Raises:
        QuantizationError: The node has no weight.
    """
    role = ops.role_of(node)
    if role is None or role.weight is None:
        raise QuantizationError(f"node {node.name} has no weight whose error could be probed")
    if role.kind is LayerKind.EMBEDDING:
        indices = args[1].reshape(-1)
        moved = (gradient.reshape(len(indices), -1) * error[indices]).sum(-1)
        return error.new_zeros(len(error)).index_add_(0, indices, moved)
    if role.kind is LayerKind.CONV1D:  # (B, N, frames)
        made: Tensor = ops.aten.conv1d.default(args[0], error, None, *args[3:])
        return (gradient * made).sum((0, 2))
    inputs = args[0].reshape(-1, error.shape[1])
    moments: Tensor = gradient.reshape(-1, len(error)).T @ inputs  # sums over frames first
    return (moments * error).sum(-1)


def damage_of(change: Tensor, positions: int) -> float:
    """Nats a position that the changes c (N,) of all uses of a layer, added up, amount to."""
    return float(change.square().sum()) / (2 * positions)
