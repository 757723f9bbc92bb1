"""The outline of a lowered graph: what its translation depends on, with stand-ins for what it does not.

Translating a graph takes seconds and looks at no weight: graphs of one structure have one translation, whatever their
widths, codes and floats. So weights are taken out before it and put in after it. Stand-ins of floats are NaN: what is
computed of one is NaN as well, which tells when a translation did look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, fx, nn

import passes.lowering.qdq_ops  # noqa: F401  registers the operators that are looked for
from myqasr_fx.export.split_weights import Part, join_parts
from passes.graph.graph_edit import drop_unused_tensors, get_tensor, put_buffer

SMALLEST = 32
"""Elements below which floats that are all the same stay as they are: scalars decide what an optimizer does."""

_FOLDED = 1 << 20
"""Elements of a table up to which it is expected that an optimizer looks up rows that it knows, such as positions."""

_COMPUTED = 8192
"""Elements up to which it is expected that an optimizer computes what no input changes."""

_OPS = torch.ops.myqasr
_LOOKUPS = (torch.ops.aten.embedding.default, torch.ops.aten.index.Tensor)
_JOINED = ("aten.conv", "aten.linear", "aten.addmm", "aten.mm")
_NAN = 0x7FC00000  # a quiet NaN of float32; its low bits are free to tell one stand-in from another


@dataclass(frozen=True, slots=True)
class Codes:
    """One stored block of weights.

    Args:
        bits: Of its codes or strings.
        scale, zero_point, table, gains: Names of its other tensors; None for those that it lacks.
    """

    bits: int
    scale: str
    zero_point: str | None
    table: str | None
    gains: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A graph over stand-ins.

    Args:
        module: To be translated.
        codes: Name of the packed codes of each block to the rest of it.
        split: Name of the packed codes of a weight's first block to all its blocks, where the graph has one product.
        lookups: Name of those of the first block of strings that one lookup reads to all that it reads.
        floats: Names of float tensors that have a stand-in.
        held: Bytes of the tensors that have none.
        structure: Digest of everything that a translation may depend on.
    """

    module: fx.GraphModule
    codes: Mapping[str, Codes]
    split: Mapping[str, tuple[Part, ...]]
    lookups: Mapping[str, tuple[Part, ...]]
    floats: frozenset[str]
    held: int
    structure: str


def outline(module: fx.GraphModule, keep: frozenset[str] = frozenset()) -> Outline:
    """The outline of a lowered graph, which stays as it is.

    Args:
        module: Lowered by ``LowerToQDQ``.
        keep: Names of float tensors that get no stand-in.
    """
    graph = fx.Graph()
    graph.output(graph.graph_copy(module.graph, {}))
    copy = fx.GraphModule(module, graph)
    codes, lookups = dict(_strip(copy)), {}
    for blocks, parts in _strip_lookups(graph):
        codes |= blocks
        lookups[parts[0].packed] = parts
    split = {parts[0].packed: parts for parts in join_parts(graph)}
    graph.eliminate_dead_code()
    drop_unused_tensors(copy)
    read = {str(node.target) for node in graph.find_nodes(op="get_attr")}
    for index, (name, block) in enumerate((name, block) for name, block in codes.items() if name in read):
        put_buffer(copy, name, torch.zeros(index + 1, dtype=torch.uint8))  # of its own shape: equal tensors are merged
        put_buffer(copy, block.scale, torch.zeros(index + 1, dtype=torch.float16))
    replaced = frozenset(_replace_floats(copy, keep))
    copy.recompile()
    own = {name: tensor for name, tensor in _tensors(copy) if name not in replaced}
    return Outline(copy, codes, split, lookups, replaced, sum(t.nbytes for t in own.values()), _structure(copy, own))


def is_tainted(values: np.ndarray) -> bool:
    """Whether a constant was computed of a stand-in."""
    return bool(values.dtype.kind == "f" and np.isnan(values).any())


def _strip(module: fx.GraphModule) -> Iterator[tuple[str, Codes]]:
    """Takes widths, zero points and tables out of the operators that read codes, and gives each block of codes once."""
    for op, first in ((_OPS.dequantize_weight.default, 0), (_OPS.dequantize_rows.default, 1)):
        names = [argument.name for argument in op._schema.arguments]
        for node in module.graph.find_nodes(op="call_function", target=op):
            given = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
            stored = [given.get(name) for name in ("scale", "zero_point", "table", "gains")]
            scale, *others = (None if reader is None else str(reader.target) for reader in stored)
            yield str(given["packed"].target), Codes(int(given["bits"]), str(scale), *others)
            kept = (given["packed"], given["scale"], None, 8, given["shape"])
            node.args = (*node.args[:first], *kept, *((given["form"],) if "form" in given else ()))
            node.kwargs = {}


def _strip_lookups(graph: fx.Graph) -> Iterator[tuple[Mapping[str, Codes], tuple[Part, ...]]]:
    """Lets lookups in several blocks of strings read the first alone, as one of all rows, and gives what they read."""
    for node in graph.find_nodes(op="call_function", target=_OPS.dequantize_strings.default):
        indices, packed, scale, table, gains, widths, sizes = node.args
        names = [[str(reader.target) for reader in readers] for readers in (packed, scale, table, gains)]
        blocks = zip(*names, widths, sizes, strict=True)
        cols = gains[0].meta["val"].shape[0]
        yield (
            {name: Codes(bits, own, None, *others) for name, own, *others, bits, _ in blocks},
            tuple(Part(name, (size, cols)) for name, size in zip(names[0], sizes, strict=True)),
        )
        node.target = _OPS.dequantize_rows.default
        node.args = (indices, packed[0], scale[0], None, 8, [sum(sizes), cols])


def _replace_floats(module: fx.GraphModule, keep: frozenset[str]) -> Iterator[str]:
    """Puts NaN in place of float tensors, tied ones in place of tied ones, and gives their names."""
    known: dict[int, Tensor] = {}
    for node in module.graph.find_nodes(op="get_attr"):
        name = str(node.target)
        tensor = get_tensor(module, name)
        if tensor.dtype != torch.float32 or _is_scalar(tensor) or name in keep or _is_needed(node, tensor):
            continue
        if id(tensor) not in known:
            nan = torch.tensor(_NAN + len(known), dtype=torch.int32).view(torch.float32).expand(tensor.shape)
            known[id(tensor)] = nn.Parameter(nan, requires_grad=False) if isinstance(tensor, nn.Parameter) else nan
        stand_in = known[id(tensor)]
        path, _, attribute = name.rpartition(".")
        setattr(module.get_submodule(path), attribute, stand_in)
        known[id(stand_in)] = stand_in  # another node may read it by the same name
        yield name


def _is_scalar(tensor: Tensor) -> bool:
    """One number, or one number several times."""
    return tensor.numel() < SMALLEST and bool((tensor == tensor.flatten()[:1]).all())


def _is_needed(node: fx.Node, tensor: Tensor) -> bool:
    """A translation will look at it: known before one was made in vain."""
    if any(_is_normed(user) for user in node.users):
        return True
    if tensor.numel() <= _COMPUTED and any(_is_constant(user) or _transposes(user, node) for user in node.users):
        return True
    return tensor.numel() <= _FOLDED and any(user.target in _LOOKUPS for user in node.users)


def _transposes(user: fx.Node, node: fx.Node) -> bool:
    """The product that ONNX makes of a linear layer reads the transposed weight."""
    return user.target is torch.ops.aten.linear.default and user.args[1] is node


def _is_normed(node: fx.Node) -> bool:
    """A product or convolution that is joined with the batch norm behind it: new tensors are made of those of both."""
    return str(node.target).startswith(_JOINED) and any("batch_norm" in str(user.target) for user in node.users)


def _is_constant(node: fx.Node) -> bool:
    """No input of the graph changes it; transposed weights are left to the products that read them."""
    if node.op != "call_function" or node.target is torch.ops.aten.t.default:
        return False
    return all(source.op == "get_attr" for source in node.all_input_nodes)


def _tensors(module: fx.GraphModule) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _structure(module: fx.GraphModule, own: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256("\n".join(_lines(module.graph)).encode())
    for name, tensor in _tensors(module):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if name in own:
            digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _lines(graph: fx.Graph) -> Iterator[str]:
    """The graph as a text with numbers for names, which tell how many nodes there were before blocks were joined."""
    numbers = {node: f"%{index}" for index, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda other: numbers[other])
        yield f"{node.op} {node.target} {args} {kwargs}"
