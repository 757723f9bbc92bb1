"""Names of layers: unique, and taken from the module whose code produced a node."""

from __future__ import annotations

from collections.abc import Collection

from torch import fx


def module_path(node: fx.Node) -> str:
    """Dotted path of the innermost module whose code produced ``node``; empty for the root."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]).split("@")[0] if stack else ""


def join(path: str, name: str) -> str:
    """``path.name``, or ``name`` alone at the root."""
    return f"{path}.{name}" if path else name


def free_name(base: str, taken: Collection[str]) -> str:
    """``base``, or the first of ``base_1``, ``base_2`` and so on that is not taken."""
    name, count = base, 0
    while name in taken:
        count += 1
        name = f"{base}_{count}"
    return name
