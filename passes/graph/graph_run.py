"""``GraphRun``: runs a graph in stretches, so that what comes before a layer is computed once.

A state holds the values alive at a *cut*. A run resumes from it, up to another cut or to the result, with other weights
or in sight of a watcher. Cuts lie where few values are alive: in a transformer, where only the residual stream is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from types import MappingProxyType
from typing import Any

from torch import Tensor, fx

from passes.errors import PassError
from passes.graph import ops
from passes.graph.graph_edit import get_tensor

Watch = Callable[[fx.Node, tuple[Any, ...], Any], None]
"""Called after each step with its node, its arguments and its result."""

Feed = Callable[[fx.Node, tuple[Any, ...]], tuple[Any, ...]]
"""Called before each step with its node and its arguments; gives those to compute with."""


@dataclass(frozen=True, slots=True, eq=False)
class RunState:
    """A graph before step ``position``: the values computed so far that a later step reads."""

    position: int
    values: Mapping[fx.Node, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class GraphRun:
    """Everything that a graph's first result needs.

    Args:
        module: Canonical graph; its other results are not computed.

    Raises:
        PassError: A node is no call of a function, or changes a value that others read.
    """

    module: fx.GraphModule
    steps: tuple[fx.Node, ...] = field(init=False, repr=False)
    cuts: tuple[int, ...] = field(init=False, repr=False)
    _result: fx.Node = field(init=False, repr=False)
    _dead: Mapping[int, tuple[fx.Node, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        result = _first_result(self.module)
        steps = tuple(_needed(self.module, result))
        for node in steps:
            _check(node)
        last = _last_uses(steps, result)
        dead: dict[int, list[fx.Node]] = {}
        for node, position in last.items():
            dead.setdefault(position, []).append(node)
        object.__setattr__(self, "_result", result)
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "_dead", MappingProxyType({at: tuple(nodes) for at, nodes in dead.items()}))
        object.__setattr__(self, "cuts", _cuts(steps, last))

    def start(self, inputs: Sequence[Tensor]) -> RunState:
        """The state before the first step.

        Args:
            inputs: One a placeholder.

        Raises:
            PassError: Their number is another.
        """
        placeholders = self.module.graph.find_nodes(op="placeholder")
        if len(placeholders) != len(inputs):
            raise PassError(f"{len(inputs)} inputs for a graph of {len(placeholders)}")
        return RunState(0, MappingProxyType(dict(zip(placeholders, inputs, strict=True))))

    def cut_before(self, position: int) -> int:
        """The last cut that is not after step ``position``."""
        return self.cuts[bisect_right(self.cuts, position) - 1]

    def resume(
        self,
        state: RunState,
        stop: int | None = None,
        weights: Mapping[str, Tensor] | None = None,
        watch: Watch | None = None,
        feed: Feed | None = None,
    ) -> RunState:
        """Runs from ``state`` to before step ``stop``, or to the end.

        Args:
            state: Of this graph; stays as it is.
            stop: At least the state's position.
            weights: Attribute path to a tensor to compute with instead of the stored one.
            watch: Sees every step.
            feed: Changes what steps are given.
        """
        replaced = weights or {}
        values = dict(state.values)
        constants: dict[fx.Node, Tensor] = {}

        def value_of(node: fx.Node) -> Any:
            if node.op != "get_attr":
                return values[node]
            if node not in constants:
                target = str(node.target)
                constants[node] = replaced[target] if target in replaced else get_tensor(self.module, target)
            return constants[node]

        stop = len(self.steps) if stop is None else stop
        for position in range(state.position, stop):
            node = self.steps[position]
            args: Any = fx.node.map_arg(node.args, value_of)
            if ops.mutates(node):
                args = (args[0].clone(), *args[1:])  # a state may hold it
            if feed is not None:
                args = feed(node, args)
            result = node.target(*args, **fx.node.map_arg(node.kwargs, value_of))  # type: ignore[operator]
            values[node] = result
            if watch is not None:
                watch(node, args, result)
            for used in self._dead.get(position, ()):
                values.pop(used, None)
        return RunState(stop, MappingProxyType(values))

    def result(self, state: RunState) -> Tensor:
        """The graph's first result, of a state at the end."""
        value = state.values[self._result]
        if not isinstance(value, Tensor):
            raise PassError(f"the graph's first result is a {type(value).__name__}, expected a tensor")
        return value


def _first_result(module: fx.GraphModule) -> fx.Node:
    (output,) = module.graph.find_nodes(op="output")
    result = output.args[0]
    while isinstance(result, (list, tuple)):
        result = result[0]
    if not isinstance(result, fx.Node):
        raise PassError(f"the graph's first result is {result}, expected a node")
    return result


def _needed(module: fx.GraphModule, result: fx.Node) -> Iterator[fx.Node]:
    """Calls that ``result`` needs, in order."""
    wanted = {result}
    for node in reversed(module.graph.nodes):
        if node in wanted:
            wanted.update(node.all_input_nodes)
    return (node for node in module.graph.nodes if node in wanted and node.op not in ("placeholder", "get_attr"))


def _last_uses(steps: Sequence[fx.Node], result: fx.Node) -> dict[fx.Node, int]:
    """Value to the last step that reads it; the result is kept."""
    last = {node: position for position, step in enumerate(steps) for node in (step, *step.all_input_nodes)}
    last[result] = len(steps)
    return {node: position for node, position in last.items() if node.op != "get_attr"}


def _cuts(steps: Sequence[fx.Node], last: Mapping[fx.Node, int]) -> tuple[int, ...]:
    """Steps in front of which a run can stop at little cost, in order, the first one included.

    Between each layer with a weight and the next, the place with the fewest computed values alive; of these places
    those that hold no more than their neighbours.
    """
    layers = [position for position, node in enumerate(steps) if ops.weight_node(node) is not None]
    if not layers:
        return (0,)
    change = [0] * (len(steps) + 2)
    for position, node in enumerate(steps):
        change[position + 1] += 1
        change[last[node] + 1] -= 1
    alive = list(accumulate(change))  # before each step, values computed and still to be read
    edges = [0, *(layer + 1 for layer in layers[:-1])]
    best = [
        min(range(low, layer + 1), key=lambda at: (alive[at], -at)) for low, layer in zip(edges, layers, strict=True)
    ]
    cost = [alive[at] for at in best]
    kept = [at for i, at in enumerate(best) if cost[i] <= min(cost[max(i - 1, 0)], cost[min(i + 1, len(cost) - 1)])]
    return tuple(sorted({0, *kept}))


def _check(node: fx.Node) -> None:
    """A step must be a function, and may change no value that another one reads."""
    if node.op == "call_function" and not (ops.mutates(node) and _is_shared(node.args[0])):
        return
    what = node.op if node.op != "call_function" else f"{node.target}, which changes a value that others read,"
    raise PassError(f"node {node.name}: {what} cannot be run in stretches", hint="take a canonical graph")


def _is_shared(value: Any) -> bool:
    """True unless ``value`` is a computed tensor of its own with one reader."""
    own = isinstance(value, fx.Node) and value.op == "call_function" and len(value.users) == 1
    return not own or bool(getattr(value.target, "is_view", False))
