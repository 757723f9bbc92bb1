"""Names the layer of every quantizable node in ``node.meta[meta.LAYER]``.

A weight layer is named after its attribute path without ``.weight``. A product of two activations is named after the
module that computes it: ``<module path>.matmul_0``, ``_1`` and so on. Lookups whose indices do not depend on the
values of the graph's inputs are positions, not layers: they stay in float.
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

from passes.base import Program
from passes.canonical.weights import StorageKey, storage_key
from passes.graph import meta, ops
from passes.graph.fake_values import tensor_of
from passes.graph.graph_edit import get_tensor
from passes.graph.naming import join, module_path


def annotate(program: Program) -> bool:
    """Sets the layer names; True when one is new."""
    weights: dict[str, StorageKey] = {}
    products = {str(n.meta[meta.LAYER]) for _, _, n in program.nodes() if _is_named_product(n)}
    modified = False
    for graph, module in program.graphs.items():
        values = computed_from_inputs(module.graph)
        for node in module.graph.nodes:
            tensor = _layer_weight(module, node, values)
            if tensor is not None:
                modified |= meta.put(node, meta.LAYER, _weight_name(graph, node, tensor, weights))
            elif _is_product(node, values) and not _is_named_product(node):
                name = _product_name(node, products)
                products.add(name)
                modified |= meta.put(node, meta.LAYER, name)
    return modified


def computed_from_inputs(graph: fx.Graph) -> set[fx.Node]:
    """Nodes that depend on the values, not only on the sizes, of the graph's inputs."""
    sizes = (int, float, torch.SymInt, torch.SymFloat, torch.SymBool)
    found: set[fx.Node] = set()
    for node in graph.nodes:
        source = node.op == "placeholder" or any(n in found for n in node.all_input_nodes)
        if source and not isinstance(node.meta.get("val"), sizes):
            found.add(node)
    return found


def _layer_weight(module: fx.GraphModule, node: fx.Node, values: set[fx.Node]) -> Tensor | None:
    """The weight of a node that belongs to a weight layer."""
    role, source = ops.role_of(node), ops.weight_node(node)
    if role is None or source is None:
        return None
    tensor = get_tensor(module, str(source.target))
    if not tensor.is_floating_point() or tensor.dim() != role.weight_ndim or not tensor.numel():
        return None
    if role.kind is ops.LayerKind.EMBEDDING and node.args[1] not in values:
        return None
    return tensor


def _weight_name(graph: str, node: fx.Node, tensor: Tensor, taken: dict[str, StorageKey]) -> str:
    """The attribute path without ``.weight``, led by the graph's name when another graph has that name."""
    source = ops.weight_node(node)
    name = str(source.target).removesuffix(".weight") if source is not None else node.name
    key = storage_key(tensor)
    return name if taken.setdefault(name, key) == key else f"{graph}.{name}"


def _product_name(node: fx.Node, taken: set[str]) -> str:
    """``<module path>.matmul_0``, or the next number that is free."""
    base, count = join(module_path(node), "matmul"), 0
    while f"{base}_{count}" in taken:
        count += 1
    return f"{base}_{count}"


def _is_named_product(node: fx.Node) -> bool:
    role = ops.role_of(node)
    return role is not None and role.kind is ops.LayerKind.MATMUL and meta.LAYER in node.meta


def _is_product(node: fx.Node, values: set[fx.Node]) -> bool:
    """True for a product of two floating-point matrices of which at least one depends on the inputs."""
    role = ops.role_of(node)
    if role is None or role.kind is not ops.LayerKind.MATMUL:
        return False
    operands = ops.activation_nodes(node)
    tensors = [tensor_of(operand) for operand in operands]
    matrices = len(tensors) == 2 and all(t is not None and t.is_floating_point() and t.dim() >= 2 for t in tensors)
    return matrices and all(n.op != "get_attr" for n in operands) and any(n in values for n in operands)
