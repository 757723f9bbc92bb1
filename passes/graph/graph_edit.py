"""Small edits that several passes make to a ``GraphModule``: constants, inserted calls, sharing copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from passes.errors import PassError


def get_tensor(module: fx.GraphModule, target: str) -> torch.Tensor:
    """Parameter or buffer at the dotted path ``target``.

    Raises:
        PassError: Nothing is stored there, or something that is no tensor.
    """
    value: Any = module
    for atom in target.split("."):
        value = getattr(value, atom, None)
    if not isinstance(value, torch.Tensor):
        raise PassError(f"{target}: expected a tensor, got {type(value).__name__}")
    return value


def put_buffer(module: fx.GraphModule, target: str, tensor: torch.Tensor) -> None:
    """Registers ``tensor`` as a buffer at the dotted path ``target``, creating the modules on the way."""
    *path, name = target.split(".")
    owner: torch.nn.Module = module
    for atom in path:
        if not hasattr(owner, atom):
            owner.add_module(atom, torch.nn.Module())
        owner = getattr(owner, atom)
    if name in owner._parameters:
        del owner._parameters[name]
    owner.register_buffer(name, tensor)


def replace_tensor(module: fx.GraphModule, target: str, tensor: torch.Tensor) -> None:
    """Puts ``tensor`` in place of the parameter or buffer at ``target``: of its kind, in its place among others."""
    path, _, name = target.rpartition(".")
    owner = module.get_submodule(path)
    if name in owner._parameters:
        tensor = torch.nn.Parameter(tensor, requires_grad=False)
    setattr(owner, name, tensor)


def drop_unused_tensors(module: fx.GraphModule) -> bool:
    """Deletes parameters, buffers and submodules that no node reads; True when one went."""
    before = len(list(module.named_parameters())) + len(list(module.named_buffers()))
    used = {str(n.target) for n in module.graph.nodes if n.op in ("get_attr", "call_module")}
    prefixes = tuple(f"{target}." for target in used)
    tensors = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    for target, _ in tensors:
        if target in used or target.startswith(prefixes):
            continue
        path, _, name = target.rpartition(".")
        delattr(module.get_submodule(path), name)
    after = len(list(module.named_parameters())) + len(list(module.named_buffers()))
    return after != before


def get_attr(graph: fx.Graph, target: str, tensor: torch.Tensor) -> fx.Node:
    """A ``get_attr`` node at the insertion point, with its ``val`` filled."""
    node = graph.create_node("get_attr", target)
    node.meta["val"] = torch.empty_like(tensor, device="meta")
    return node


def constant(module: fx.GraphModule, target: str, tensor: torch.Tensor) -> fx.Node:
    """A buffer at ``target`` and, at the insertion point, a node that reads it."""
    put_buffer(module, target, tensor)
    return get_attr(module.graph, target, tensor)


def call(graph: fx.Graph, op: Callable[..., Any], *args: Any, like: fx.Node | None = None) -> fx.Node:
    """A ``call_function`` node at the insertion point that inherits the source information of ``like``."""
    node = graph.call_function(op, args)
    if like is not None:
        node.meta.update({k: v for k, v in like.meta.items() if k in ("nn_module_stack", "stack_trace")})
    return node


def watch(module: fx.GraphModule, node: fx.Node, target: str, watcher: torch.nn.Module) -> None:
    """Stores ``watcher`` at the dotted path ``target`` and calls it on the value of ``node``, once that is computed.

    Nothing reads the result: ``watcher`` has to be impure, or the call is dead code.
    """
    module.add_submodule(target, watcher)
    place = node
    while place.op == "placeholder" and place.next.op == "placeholder":
        place = place.next
    with module.graph.inserting_after(place):
        module.graph.call_module(target, (node,))
