"""``DecomposeAttention``: fused attention as two products whose operands can be quantized."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensorMode

from passes.base import Fact, Program, ProgramPass
from passes.graph import meta, ops
from passes.graph.fake_values import fake_mode, fill, tensor_of
from passes.graph.graph_edit import call
from passes.graph.naming import free_name, join, module_path

aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class DecomposeAttention(ProgramPass):
    """Spells scaled dot-product attention as matrix products and a softmax.

    Before::

        o = scaled_dot_product_attention(q, k, v, mask, scale=s)     (B, H, T, d)

    After::

        scores = matmul(q * s, transpose(k, -2, -1))                 (B, H, T, S)   LAYER <module>.qk_matmul
        scores = where(mask, scores, -inf)  or  scores + mask
        o = matmul(softmax(scores, -1), v)                           (B, H, T, d)   LAYER <module>.av_matmul

    The product with ``s`` is left out when it is 1; without ``scale`` it is 1 / sqrt(d). A causal attention gets the
    mask ``arange(T)[:, None] >= arange(S)``. With ``enable_gqa`` the heads of k and v are repeated. A query that a
    boolean mask leaves without a key yields zeros, as in the fused operator: ``where(any(mask, -1), o, 0)``; a float
    mask of minus infinities alone yields NaN, where the fused operator yields zeros. Attention with dropout, or of
    unknown shape, stays as it is.

    Source: PyTorch reference of ``scaled_dot_product_attention``.
    """

    requires: ClassVar[frozenset[Fact]] = frozenset({Fact.CANONICAL})

    def run(self, program: Program) -> bool:
        """Rewrites ``program`` in place; True when it held an attention."""
        taken = {str(name) for _, _, node in program.nodes() if (name := meta.get(node, meta.LAYER)) is not None}
        modified = False
        for module in program.graphs.values():
            mode = fake_mode(module.graph)
            for node in module.graph.find_nodes(op="call_function", target=ops.ATTENTION):
                modified |= _decompose(node, mode, taken)
        return modified


def _decompose(node: fx.Node, mode: FakeTensorMode | None, taken: set[str]) -> bool:
    """Replaces one attention node; False when it is a case that stays."""
    bound = ops.arguments(node)
    query, key = tensor_of(bound["query"]), tensor_of(bound["key"])
    if query is None or key is None or bound["dropout_p"] != 0:
        return False
    build = _Builder(node, mode)
    with node.graph.inserting_before(node):
        keys, values = build.heads(bound, query, key)
        scale = 1 / math.sqrt(query.shape[-1]) if bound["scale"] is None else bound["scale"]
        queries = bound["query"] if scale == 1 else build(aten.mul.Tensor, bound["query"], scale)
        scores = build(aten.matmul.default, queries, build(aten.transpose.int, keys, -2, -1))
        mask = build.mask(bound, query, key)
        weights = build(aten.softmax.int, build.masked(scores, mask), -1)
        product = build(aten.matmul.default, weights, values)
        output = product if bound["is_causal"] else build.guarded(product, mask)
    for layer, suffix in ((scores, "qk_matmul"), (product, "av_matmul")):
        name = free_name(join(module_path(node), suffix), taken)
        taken.add(name)
        meta.put(layer, meta.LAYER, name)
    node.replace_all_uses_with(output)
    node.graph.erase_node(node)
    return True


@dataclass(frozen=True, slots=True)
class _Builder:
    """Inserts nodes that inherit the source of one attention node and know their shapes."""

    like: fx.Node
    mode: FakeTensorMode | None

    def __call__(self, op: Any, *args: Any, **kwargs: Any) -> fx.Node:
        node = call(self.like.graph, op, *args, like=self.like)
        node.kwargs = kwargs
        return fill(node, self.mode)

    def heads(self, bound: dict[str, Any], query: torch.Tensor, key: torch.Tensor) -> tuple[Any, Any]:
        """Keys and values with as many heads as the query."""
        if not bound["enable_gqa"] or query.shape[-3] == key.shape[-3]:
            return bound["key"], bound["value"]
        repeat, value = aten.repeat_interleave.self_int, tensor_of(bound["value"])
        value_heads = key.shape[-3] if value is None else value.shape[-3]
        keys = self(repeat, bound["key"], int(query.shape[-3] // key.shape[-3]), -3)
        return keys, self(repeat, bound["value"], int(query.shape[-3] // value_heads), -3)

    def mask(self, bound: dict[str, Any], query: torch.Tensor, key: torch.Tensor) -> fx.Node | None:
        """The mask given, or the one that a causal attention implies."""
        if not bound["is_causal"]:
            given: fx.Node | None = bound["attn_mask"]
            return given
        rows = self(aten.unsqueeze.default, self.positions(bound["query"], query), -1)
        return self(aten.ge.Tensor, rows, self.positions(bound["key"], key))

    def masked(self, scores: fx.Node, mask: fx.Node | None) -> fx.Node:
        """Scores after the mask, if there is one."""
        if mask is None:
            return scores
        if _is_boolean(mask):
            return self(aten.where.ScalarOther, mask, scores, -math.inf)
        return self(aten.add.Tensor, scores, mask)

    def guarded(self, output: fx.Node, mask: fx.Node | None) -> fx.Node:
        """Zeros for the queries that a boolean mask leaves without a key."""
        if mask is None or not _is_boolean(mask):
            return output
        known = (user for user in mask.users if user.target is aten.any.dim and user < self.like)
        allowed = next(known, None) or self(aten.any.dim, mask, -1, True)
        return self(aten.where.ScalarOther, allowed, output, 0.0)

    def positions(self, node: fx.Node, value: torch.Tensor) -> fx.Node:
        """``arange`` over the rows of a query or key."""
        size: Any = value.shape[-2]
        length = size if isinstance(size, int) else self(aten.sym_size.int, node, -2)
        return self(aten.arange.default, length, device=value.device)


def _is_boolean(mask: fx.Node) -> bool:
    """True for a mask that says which keys may be read; False for one that is added to the scores."""
    value = tensor_of(mask)
    return value is not None and value.dtype == torch.bool
