"""One attribute for one tensor, over all graphs of a program.

::

    get_attr[model.decoder.embed_tokens.weight], get_attr[proj_out.weight]   (same storage, shape and stride)
      ->  get_attr[model.decoder.embed_tokens.weight]                        (the name that is used first)
"""

from __future__ import annotations

from torch import Tensor, fx

from passes.base import Program
from passes.canonical.weights import StorageKey, attributes, put_parameter, storage_key
from passes.graph.graph_edit import get_tensor
from passes.graph.naming import join, module_path


def tie(program: Program) -> bool:
    """Points all reads of one tensor at one attribute path, object and node; True when something moved."""
    first: dict[StorageKey, tuple[str, Tensor]] = {}
    modified = False
    for module in program.graphs.values():
        for node in attributes(module):
            tensor = get_tensor(module, str(node.target))
            key = storage_key(tensor)
            if key not in first:
                first[key] = _name_of_first_use(module, node, key), tensor
            name, original = first[key]
            if (name != node.target or original is not tensor) and _is_free(module, name, tensor):
                put_parameter(module, name, original)
                node.target = name
                modified = True
        modified |= _merge_reads(module)
    return modified


def _merge_reads(module: fx.GraphModule) -> bool:
    """Leaves one ``get_attr`` node for each attribute, the first; True when there were more."""
    first: dict[str, fx.Node] = {}
    modified = False
    for node in module.graph.find_nodes(op="get_attr"):
        kept = first.setdefault(str(node.target), node)
        if kept is not node:
            node.replace_all_uses_with(kept)
            module.graph.erase_node(node)
            modified = True
    return modified


def _name_of_first_use(module: fx.GraphModule, node: fx.Node, key: StorageKey) -> str:
    """The name the tensor has in the module that uses it first; export may read it under another one."""
    user = next(iter(sorted(node.users)))
    leaf = str(node.target).rpartition(".")[2]
    name = join(module_path(user), leaf)
    known = dict(module.named_parameters(remove_duplicate=False))
    return name if name in known and storage_key(known[name]) == key else str(node.target)


def _is_free(module: fx.GraphModule, name: str, tensor: Tensor) -> bool:
    """True unless another tensor of this graph has that name already."""
    if all(str(n.target) != name for n in module.graph.nodes if n.op == "get_attr"):
        return True
    return storage_key(get_tensor(module, name)) == storage_key(tensor)
