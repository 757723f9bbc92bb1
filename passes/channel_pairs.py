"""Pairs of linear layers that hand channels on: a row of the writer's weight is a column of the reader's.

    values   v = linear(x, W, b);  y = linear(merge(a @ split(v)), V, c)        a: weights of an attention
    hidden   h = linear(x, W, b);  y = linear(f(h), V, c)                       f: acts on each number by itself

Whatever is done to the rows of W and b and undone in the columns of V changes no result: an order of its own, and,
where everything between is homogeneous (all but a GELU), a factor for each channel.

Values may pass a cache, ``cat([past, v])``, which is a result of the graph as well. Whoever runs the graph hands that
back as it is, or none: then past and new values share the factors and the order. Values that leave the graph alone
have readers that nobody here knows, and are no pair.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, fx

from passes import meta, ops
from passes.base import Program
from passes.fake_values import tensor_of
from passes.graph_edit import get_tensor, put_buffer
from passes.ops import LayerKind

aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class ChannelPair:
    """Two layers that nothing else comes between.

    Args:
        graph: Name of their graph.
        writer: Node of the layer whose rows are the channels.
        reader: Node of the layer whose columns they are.
        heads: Equal parts of the channels between which none may move; 1 where all may.
        homogeneous: True when a positive factor for a channel comes out of the reader's input as it went in.
    """

    graph: str
    writer: fx.Node
    reader: fx.Node
    heads: int
    homogeneous: bool

    @property
    def layers(self) -> tuple[str, str]:
        """Names of writer and reader."""
        return str(meta.get(self.writer, meta.LAYER)), str(meta.get(self.reader, meta.LAYER))

    @property
    def rows(self) -> tuple[str, ...]:
        """Attribute paths of the tensors whose first axis holds the channels: the writer's weight and bias."""
        return tuple(str(arg.target) for arg in self.writer.args[1:] if isinstance(arg, fx.Node))

    @property
    def columns(self) -> str:
        """Attribute path of the tensor whose last axis holds the channels: the reader's weight."""
        return str(self.reader.args[1].target)  # type: ignore[union-attr]  # checked by find_pairs


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the channels are: a value, the axes that hold them, the outer one first, and what it took to get there."""

    node: fx.Node
    axes: tuple[int, ...]
    heads: int = 1
    homogeneous: bool = True


def find_pairs(program: Program) -> Iterator[ChannelPair]:
    """Every pair of a canonical program, in network order; weights and biases of both have no other reader."""
    sources = [source for _, _, node in program.nodes() if (source := ops.weight_node(node)) is not None]
    counts = Counter(str(source.target) for source in sources)
    own = {node for _, _, node in program.nodes() if _is_own(node, counts)}
    for graph, _, node in program.nodes():
        if node not in own:
            continue
        place: _Place | None = _Place(node, (_rank(node) - 1,))
        while place is not None and (reader := _only_reader(place.node)) is not None:
            if reader in own:
                if reader.args[0] is place.node and place.axes == (_rank(place.node) - 1,):
                    yield ChannelPair(graph, node, reader, place.heads, place.homogeneous)
                break
            place = _step(place, reader)


def replace_channels(program: Program, pair: ChannelPair, rows: Tensor, columns: Tensor) -> None:
    """Puts the reader's and the writer's tensors anew; other copies of the graphs keep theirs.

    Args:
        program: Holds the pair.
        pair: Whose tensors are replaced.
        rows: (N,) float, factors for the writer's rows, or int64, the old row of each.
        columns: (N,) the same for the reader's columns.
    """
    module = program.graphs[pair.graph]
    for path, change, axis in (*((path, rows, 0) for path in pair.rows), (pair.columns, columns, -1)):
        old = get_tensor(module, path).detach()
        if change.is_floating_point():
            put_buffer(module, path, old * (change.reshape(-1, *[1] * (old.dim() - 1)) if axis == 0 else change))
        else:
            put_buffer(module, path, old.index_select(axis, change))


def _is_own(node: fx.Node, counts: Counter[str]) -> bool:
    """True for a named linear layer whose tensors no other node reads."""
    role, source = ops.role_of(node), ops.weight_node(node)
    if role is None or source is None or role.kind is not LayerKind.LINEAR or meta.get(node, meta.LAYER) is None:
        return False
    bias = node.args[2]
    free = bias is None or (isinstance(bias, fx.Node) and bias.op == "get_attr" and len(bias.users) == 1)
    return free and counts[str(source.target)] == 1 and len(source.users) == 1


def _only_reader(node: fx.Node) -> fx.Node | None:
    """The one node that reads ``node``; a result of the graph only where it is a cache."""
    readers = [user for user in node.users if user.op != "output"]
    returned = len(readers) < len(node.users)
    return readers[0] if len(readers) == 1 and (not returned or _past(node) is not None) else None


def _past(node: fx.Node) -> fx.Node | None:
    """The input that a cache ``cat([past, new])`` goes on from, of which nothing else is read but its size."""
    if node.target != aten.cat.default:
        return None
    parts = node.args[0]
    if not isinstance(parts, (list, tuple)) or len(parts) != 2 or not isinstance(parts[0], fx.Node):
        return None
    past = parts[0]
    sizes = all(user is node or user.target == aten.sym_size.int for user in past.users)
    return past if past.op == "placeholder" and sizes else None


def _step(place: _Place, reader: fx.Node) -> _Place | None:
    """Where ``reader`` leaves the channels; None where it mixes or loses them."""
    if reader.op != "call_function":
        return None
    if reader.target in ops.POINTWISE | ops.HOMOGENEOUS:
        return _moved(place, reader, place.axes, homogeneous=reader.target in ops.HOMOGENEOUS)
    if reader.target == aten.transpose.int:
        first, second = (int(str(axis)) % _rank(reader) for axis in reader.args[1:3])
        swapped = {first: second, second: first}
        return _moved(place, reader, tuple(swapped.get(axis, axis) for axis in place.axes))
    if reader.target == aten.reshape.default:
        return _reshaped(place, reader)
    kept = reader.target == aten.cat.default and _past(reader) is not None and _joins(place, reader)
    if kept or _mixes(place, reader) or _masks(place, reader):
        return _moved(place, reader, place.axes)
    return None


def _moved(place: _Place, node: fx.Node, axes: tuple[int, ...], homogeneous: bool = True) -> _Place:
    return _Place(node, axes, place.heads, place.homogeneous and homogeneous)


def _reshaped(place: _Place, reader: fx.Node) -> _Place | None:
    """Channels that are the last axes stay together, as one axis or as heads of equal size."""
    rank, before, after = _rank(place.node), _shape(place.node), _shape(reader)
    if place.axes != tuple(range(rank - len(place.axes), rank)):
        return None
    total = math.prod(before[axis] for axis in place.axes)
    for count in (1, 2):
        heads = after[-2] if count == 2 and len(after) > 1 else 1
        if len(after) < count or math.prod(after[-count:]) != total or min(after[-count:]) < 1:
            continue
        if heads == 1 or place.heads in (1, heads):
            axes = tuple(range(len(after) - count, len(after)))
            return _Place(reader, axes, max(place.heads, heads), place.homogeneous)
    return None


def _joins(place: _Place, reader: fx.Node) -> bool:
    axis = reader.args[1] if len(reader.args) > 1 else 0
    return isinstance(axis, int) and axis % _rank(reader) not in place.axes


def _mixes(place: _Place, reader: fx.Node) -> bool:
    """True for the values of an attention, whose frames it sums up and whose channels it keeps."""
    rank = _rank(reader)
    if rank != _rank(place.node) or rank < 3 or rank - 2 in place.axes:
        return False
    if reader.target == ops.ATTENTION:
        bound = ops.arguments(reader)
        return bound["value"] is place.node and not bound["enable_gqa"]
    same = [_shape(reader)[axis] == _shape(place.node)[axis] for axis in place.axes]
    return reader.target == aten.matmul.default and reader.args[1] is place.node and all(same)


def _masks(place: _Place, reader: fx.Node) -> bool:
    """True where all channels of some frames become zero."""
    if reader.target != aten.where.ScalarOther or reader.args[1] is not place.node or reader.args[2] != 0:
        return False
    shape = _shape(reader.args[0])
    return bool(shape) and shape[-1] == 1 and _rank(reader) == _rank(place.node) and place.axes[-1] == _rank(reader) - 1


def _shape(node: object) -> tuple[int, ...]:
    """Sizes of a value; -1 for those that depend on the inputs."""
    value = tensor_of(node)
    return () if value is None else tuple(size if isinstance(size, int) else -1 for size in value.shape)


def _rank(node: fx.Node) -> int:
    return len(_shape(node))
