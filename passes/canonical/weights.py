"""Weights as graph attributes: computed weights are folded, equal storage gets one name.

::

    conv1d(x, _weight_norm(v, g, 2))  ->  conv1d(x, W)          W computed once, named after the convolution
    linear(x, t(P))                   ->  linear(x, P')         P' a view of P
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import fx, nn

from passes.graph import ops
from passes.graph.fake_values import tensor_of
from passes.graph.graph_edit import get_tensor
from passes.graph.naming import free_name, join, module_path
from passes.graph.written import written

StorageKey = tuple[object, ...]


def storage_key(tensor: torch.Tensor) -> StorageKey:
    """Equal for two tensors exactly when they are the same values in the same memory."""
    place = tensor.untyped_storage().data_ptr() if tensor.numel() else id(tensor)
    return place, tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def attributes(module: fx.GraphModule) -> Iterator[fx.Node]:
    """The ``get_attr`` nodes that read a tensor, in graph order of their first use."""
    position = {node: i for i, node in enumerate(module.graph.nodes)}
    found = [n for n in module.graph.nodes if n.op == "get_attr" and n.users and _is_tensor(module, n)]
    yield from sorted(found, key=lambda n: min(position[user] for user in n.users))


def _is_tensor(module: fx.GraphModule, node: fx.Node) -> bool:
    value: object = module
    for atom in str(node.target).split("."):
        value = getattr(value, atom, None)
    return isinstance(value, torch.Tensor)


def put_parameter(module: fx.GraphModule, target: str, tensor: torch.Tensor) -> None:
    """Stores ``tensor`` as a frozen parameter at the dotted path ``target``; an existing parameter object is kept."""
    *path, name = target.split(".")
    owner: nn.Module = module
    for atom in path:
        if not isinstance(getattr(owner, atom, None), nn.Module):
            owner.add_module(atom, nn.Module())
        owner = getattr(owner, atom)
    for store in (owner._parameters, owner._buffers):
        store.pop(name, None)
    frozen = tensor if isinstance(tensor, nn.Parameter) else nn.Parameter(tensor, requires_grad=False)
    owner.register_parameter(name, frozen)


def constant(module: fx.GraphModule, node: object) -> torch.Tensor | None:
    """Value of a node that is computed from attributes alone, by pure operators, and written into by none; or None."""
    return _value(module, node, frozenset(written(module.graph)))


def _value(module: fx.GraphModule, node: object, changed: frozenset[fx.Node]) -> torch.Tensor | None:
    if not isinstance(node, fx.Node) or node in changed:
        return None
    if node.op == "get_attr":
        return get_tensor(module, str(node.target)).detach() if _is_tensor(module, node) else None
    inputs = node.all_input_nodes
    pure = isinstance(node.target, torch._ops.OpOverload) and not ops.mutates(node)
    if node.op != "call_function" or not pure or not inputs or tensor_of(node) is None:
        return None
    if torch.Tag.nondeterministic_seeded in node.target.tags:  # type: ignore[union-attr]  # an OpOverload, see above
        return None
    values = {source: _value(module, source, changed) for source in inputs}
    if any(value is None for value in values.values()):
        return None
    args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: values[n])
    with torch.no_grad():
        result = node.target(*args, **kwargs)  # type: ignore[operator]  # an OpOverload, see above
    return result if isinstance(result, torch.Tensor) else None


def weight_attribute(module: fx.GraphModule, tensor: torch.Tensor, user: fx.Node, source: fx.Node) -> fx.Node:
    """A ``get_attr`` node that reads ``tensor``, new or existing.

    Args:
        module: The graph's module.
        tensor: The weight.
        user: Node that reads the weight; gives the name and the place of a new attribute.
        source: Node that computed the weight until now.
    """
    key = storage_key(tensor)
    for node in attributes(module):
        if storage_key(get_tensor(module, str(node.target))) == key and node < user:
            return node
    target = _free_name(module, user, source)
    put_parameter(module, target, tensor)
    with module.graph.inserting_before(user):
        node = module.graph.create_node("get_attr", target)
    value = tensor_of(source)
    if value is not None:
        node.meta["val"] = value.t() if tuple(value.shape) != tuple(tensor.shape) else value
    return node


def _free_name(module: fx.GraphModule, user: fx.Node, source: fx.Node) -> str:
    """Name of a new weight: that of the only parameter it replaces, else ``<module path>.weight``, else numbered."""
    roots, pending = set(), [source]
    private = True
    while pending:
        node = pending.pop()
        private = private and len(node.users) == 1
        if node.op == "get_attr":
            roots.add(node)
        pending += node.all_input_nodes
    taken = {str(n.target) for n in module.graph.nodes if n.op == "get_attr"}
    if len(roots) == 1 and private:
        target = str(roots.pop().target)
        if sum(n.op == "get_attr" and n.target == target for n in module.graph.nodes) == 1:
            return target
    return free_name(join(module_path(user) or user.name, "weight"), taken)


def fold_weights(module: fx.GraphModule) -> bool:
    """Computes once every weight that is computed from attributes alone; True when there was one."""
    modified = False
    for node in list(module.graph.nodes):
        role = ops.role_of(node)
        source = None if role is None or role.weight is None else node.args[role.weight]
        if role is None or role.weight is None or not isinstance(source, fx.Node) or source.op == "get_attr":
            continue
        tensor = constant(module, source)
        if tensor is not None:
            node.update_arg(role.weight, weight_attribute(module, tensor, node, source))
            modified = True
    return modified
