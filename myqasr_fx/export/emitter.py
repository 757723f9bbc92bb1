"""Writes nodes and shared constants into an ONNX graph, in front of a given node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from passes.graph.naming import free_name

Array = npt.NDArray[Any]


class Emitter:
    """Builds standard operators; equal small constants are stored once.

    Args:
        graph: The graph to write into.

    Attributes:
        opset: Version of the ``ai.onnx`` operators.
        shared: Nodes that :meth:`once` made, which serve the whole graph.
    """

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self._constants: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}
        self._distinct: Counter[Hashable] = Counter()
        self._named: Counter[str] = Counter()
        self._made: dict[Hashable, ir.Value] = {}
        self._anchor: ir.Node | None = None
        self.opset = graph.opset_imports[""]
        self.shared: list[ir.Node] = []
        self._sharing = False
        self._scope = ""

    def before(self, node: ir.Node, scope: str) -> None:
        """New nodes go in front of ``node`` and are named after ``scope``."""
        self._anchor, self._scope = node, scope

    def op(self, kind: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """Output of a new node of the ``ai.onnx`` domain."""
        return self.ops(kind, *inputs, outputs=1, **attributes)[0]

    def ops(self, kind: str, *inputs: ir.Value | None, outputs: int, **attributes: Any) -> Sequence[ir.Value]:
        """All outputs of a new node of the ``ai.onnx`` domain."""
        node = ir.node(kind, list(inputs), attributes=attributes, name=self._free_name(kind), num_outputs=outputs)
        if self._anchor is None:
            self.graph.append(node)
        else:
            self.graph.insert_before(self._anchor, node)
        if self._sharing:
            self.shared.append(node)
        return node.outputs

    def _free_name(self, kind: str) -> str:
        name = f"{self._scope}/{kind}"
        self._named[name] += 1
        return name if self._named[name] == 1 else f"{name}_{self._named[name]}"

    def constant(self, array: Array, name: str | None = None) -> ir.Value:
        """A small constant, shared with every equal one; ``name`` is that of the first."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = free_name(name or f"const_{len(self._constants)}", self.graph.initializers)
            self._constants[key] = self.initializer(name, ir.Tensor(array, name=name))
        return self._constants[key]

    def integers(self, *numbers: int) -> ir.Value:
        """An int64 vector, for shapes and axes."""
        return self.constant(np.array(numbers, np.int64))

    def byte(self, number: int) -> ir.Value:
        """A uint8 scalar."""
        return self.constant(np.array(number, np.uint8))

    def initializer(self, name: str, tensor: ir.TensorProtocol) -> ir.Value:
        """A stored tensor under its own name."""
        tensor.name = name
        value = ir.Value(
            name=name, shape=ir.Shape(tensor.shape.numpy()), type=ir.TensorType(tensor.dtype), const_value=tensor
        )
        self.graph.register_initializer(value)
        return value

    def once(self, key: Hashable, make: Callable[[], ir.Value]) -> ir.Value:
        """What ``make`` emits of constants alone: at the first call with one ``key``, in front of all other nodes."""
        if key not in self._made:
            anchor = self._anchor
            self._anchor, self._sharing = anchor and self.graph[0], True
            self._made[key] = make()
            self._anchor, self._sharing = anchor, False
        return self._made[key]

    def distinct(self, value: ir.Value, shape: Sequence[int], key: Hashable) -> ir.Value:
        """``value`` of ``shape``, under another name for every call with one ``key``.

        onnxruntime fuses a kernel only with codes and scales that nothing else reads, and merges equal operators
        before. Reshapes that differ from call to call keep apart the constants that it folds them into.
        """
        again = self._distinct[key]
        self._distinct[key] += 1
        return self.reshape(self.reshape(value, [1] * again + list(shape)), shape) if again else value

    def cast(self, value: ir.Value, to: ir.DataType) -> ir.Value:
        """``value`` as another element type."""
        return self.op("Cast", value, to=int(to))

    def reshape(self, value: ir.Value, shape: Sequence[int]) -> ir.Value:
        """``value`` in another shape."""
        return self.op("Reshape", value, self.integers(*shape))
