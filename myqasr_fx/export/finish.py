"""Last steps on an expanded model: float16 storage, declared shapes, short names, no metadata."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from myqasr_fx.capture.signature import GraphSignature, TensorSpec
from myqasr_fx.export.emitter import Emitter

HALF_MINIMUM = 64
"""Elements below which a Cast node takes more bytes than float16 saves."""


def store_half(model: ir.Model, keep: frozenset[str] = frozenset()) -> ir.Model:
    """Stores float32 tensors whose values are float16 values as float16, and casts them in the graph.

    onnxruntime folds the cast at load. Biases, norms and position tables qualify after ``RoundFloats``. Looked-up rows
    are cast after the lookup, so that the table stays float16 in memory, too.

    Args:
        model: Changed in place.
        keep: Names of tensors that stay float32.
    """
    graph = model.graph
    emitter = Emitter(graph)
    for name, value in list(graph.initializers.items()):
        tensor = value.const_value
        if tensor is None or tensor.dtype != ir.DataType.FLOAT or tensor.size < HALF_MINIMUM or name in keep:
            continue
        if value.is_graph_output():
            continue
        floats = tensor.numpy()
        with np.errstate(over="ignore"):
            half = floats.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), floats):
            continue
        graph.initializers.pop(name)
        stored = emitter.initializer(name, ir.Tensor(half))
        for node, position in list(value.uses()):
            if node.op_type == "Gather" and position == 0:
                emitter.before(node, "")
                rows = emitter.op("Gather", stored, node.inputs[1], **node.attributes)
                ir.convenience.replace_all_uses_with(node.outputs[0], emitter.cast(rows, ir.DataType.FLOAT))
                graph.remove(node, safe=True)
        if value.uses():
            emitter.before(graph[0], "")
            ir.convenience.replace_all_uses_with(value, emitter.cast(stored, ir.DataType.FLOAT))
    return model


def declare(model: ir.Model, signature: GraphSignature) -> ir.Model:
    """Gives inputs and outputs the signature's dynamic dimension names."""
    for values, specs in ((model.graph.inputs, signature.inputs), (model.graph.outputs, signature.outputs)):
        for value, spec in zip(values, specs, strict=True):
            _declare(value, spec)
    return model


def _declare(value: ir.Value, spec: TensorSpec) -> None:
    value.name = spec.name
    value.shape = ir.Shape(spec.dims)


def tidy(model: ir.Model) -> ir.Model:
    """Drops unused nodes, duplicate constants, metadata and intermediate shapes; shortens the names of values."""
    for step in (
        common.RemoveUnusedNodesPass(),
        common.LiftConstantsToInitializersPass(),
        common.CommonSubexpressionEliminationPass(),
        common.RemoveUnusedNodesPass(),
        common.RemoveUnusedOpsetsPass(),
        common.ClearMetadataAndDocStringPass(),
    ):
        step(model)
    graph = model.graph
    for value in graph.initializers.values():
        value.shape = value.type = None  # told by the tensor itself
    results = set(graph.outputs)
    for index, node in enumerate(graph):
        scope, _, kind = (node.name or "").partition("/")
        node.name = f"{scope}{kind.removeprefix(node.op_type)}" if node.op_type == "DequantizeLinear" else None
        for position, value in enumerate(node.outputs):
            if value not in results:
                value.name = f"v{index}" if position == 0 else f"v{index}_{position}"
                value.shape = value.type = None
            value.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()
    graph.name = "main"
    model.producer_name, model.producer_version = "myqasr_fx", None
    return model
