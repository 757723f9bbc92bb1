"""``format_graph``: a graph as text that a person reads and ``diff`` compares, one node a line.

::

    %linear : f32[s6, 20, 16] = aten.linear.default(%layer_norm, %q_proj_weight, None)  # q_proj  layer=q_proj bits=4

Sizes may be symbolic. The module that produced the node and the annotations of the passes follow the ``#``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import torch
from torch import fx

from passes.graph import meta
from passes.graph.naming import module_path

_TYPES = {
    torch.float32: "f32",
    torch.float64: "f64",
    torch.float16: "f16",
    torch.bfloat16: "bf16",
    torch.int64: "i64",
    torch.int32: "i32",
    torch.int16: "i16",
    torch.int8: "i8",
    torch.uint8: "u8",
    torch.bool: "bool",
}


def format_graph(module: fx.GraphModule) -> str:
    """The text of the module's graph, ending in a newline."""
    return "".join(f"{format_node(node)}\n" for node in module.graph.nodes)


def format_node(node: fx.Node) -> str:
    """One line for one node."""
    value = format_value(node.meta.get("val"))
    typed = f" : {value}" if value else ""
    notes = "  ".join(note for note in (module_path(node), " ".join(_annotations(node))) if note)
    line = f"%{node.name}{typed} = {_call(node)}"
    return f"{line}  # {notes}" if notes else line


def format_value(value: object) -> str:
    """Type and shape of a fake tensor, ``f32[2, s0]``; a symbolic size by its name; empty when unknown."""
    if isinstance(value, torch.Tensor):
        sizes = ", ".join(str(size) for size in value.shape)
        return f"{_TYPES.get(value.dtype, str(value.dtype))}[{sizes}]"
    if isinstance(value, (list, tuple)):
        return f"({', '.join(format_value(item) for item in value)})"
    return "" if value is None else str(value)


def _call(node: fx.Node) -> str:
    if node.op in ("placeholder", "get_attr"):
        return f"{node.op}[{node.target}]"
    arguments = [format_argument(arg) for arg in node.args]
    arguments += [f"{key}={format_argument(arg)}" for key, arg in node.kwargs.items()]
    return f"{_target(node)}({', '.join(arguments)})"


def _target(node: fx.Node) -> str:
    if isinstance(node.target, str):
        return node.target if node.op == "output" else f"{node.op}[{node.target}]"
    return str(node.target) if isinstance(node.target, torch._ops.OpOverload) else node.target.__name__


def format_argument(value: Any) -> str:
    """A node as ``%name``, containers item by item, everything else by its ``repr``."""
    if isinstance(value, fx.Node):
        return f"%{value.name}"
    if isinstance(value, (list, tuple)):
        items = ", ".join(format_argument(item) for item in value)
        return f"[{items}]" if isinstance(value, list) else f"({items})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {format_argument(item)}" for key, item in value.items()) + "}"
    return repr(value)


def _annotations(node: fx.Node) -> Iterable[str]:
    """``key=value`` of every annotation, in the order of ``meta.ALL``."""
    for key in meta.ALL:
        value = meta.get(node, key)
        if value is not None:
            yield f"{key.removeprefix('myqasr_')}={_brief(value)}"


def _brief(value: Any) -> str:
    """A few characters that change when the annotation does; tensors are named by their shape only."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, torch.Tensor):
        return format_value(value).replace(" ", "")
    if isinstance(value, tuple):
        return f"({','.join(_brief(item) for item in value)})"
    if dataclasses.is_dataclass(value):
        fields = (getattr(value, field.name) for field in dataclasses.fields(value))
        return f"{type(value).__name__}({','.join(_brief(item) for item in fields if item is not None)})"
    return type(value).__name__
