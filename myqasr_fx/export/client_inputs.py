"""What onnx-asr feeds a graph that we capture with other inputs: nodes in front of it, written into the file alone.

All that is measured, rounded and verified in torch is the captured graph; these nodes compute what it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import onnx_ir as ir

from myqasr_fx.capture.adapter import Adapter
from myqasr_fx.export.cached_frames import COMPUTED
from myqasr_fx.export.emitter import Emitter

_EPSILON = np.array(1e-7, np.float32)  # as wav2vec 2.0's feature extractor has it
_LENGTHS = "input_lengths"


def take_waveforms(model: ir.Model) -> None:
    """Adds the input ``input_lengths`` (B,), which nothing reads, and behind ``logits`` the output ``logprobs``."""
    graph = model.graph
    samples = graph.inputs[0].shape
    assert samples is not None
    batch = ir.Shape([samples[0]])
    graph.inputs.append(ir.Value(name=_LENGTHS, shape=batch, type=ir.TensorType(ir.DataType.INT64)))
    (logits,) = graph.outputs
    emitter = Emitter(graph)
    scores = emitter.op("LogSoftmax", logits, axis=-1)
    scores.name, scores.shape, scores.type = "logprobs", logits.shape, logits.type
    graph.outputs.append(scores)


def normalize_waveforms(model: ir.Model) -> None:
    """Brings the first ``input_lengths`` samples of each row to mean 0 and variance 1, and those behind them to 0.

    ::

        x = samples within the length, else 0        mean = sum(x) / length
        c = x - mean within the length, else 0       samples = c / sqrt(sum(c²) / length + 1e-7)
    """
    take_waveforms(model)
    graph = model.graph
    values, lengths = graph.inputs
    readers = list(values.uses())
    emitter = Emitter(graph)
    emitter.before(graph[0], "normalize")
    axis, zero, one = emitter.integers(1), *(emitter.constant(np.array(number)) for number in (0, 1))
    size = emitter.op("Squeeze", emitter.op("Shape", values, start=1, end=2))
    column = emitter.op("Unsqueeze", lengths, axis)  # (B, 1)
    heard = emitter.cast(emitter.op("Less", emitter.op("Range", zero, size, one), column), ir.DataType.FLOAT)
    count = emitter.cast(column, ir.DataType.FLOAT)
    mean = emitter.op("Div", emitter.op("ReduceSum", emitter.op("Mul", values, heard), axis), count)
    centered = emitter.op("Mul", emitter.op("Sub", values, mean), heard)
    variance = emitter.op("Div", emitter.op("ReduceSumSquare", centered, axis), count)
    deviation = emitter.op("Sqrt", emitter.op("Add", variance, emitter.constant(_EPSILON)))
    normalized = emitter.op("Div", centered, deviation)
    for node, position in readers:
        node.replace_input_with(position, normalized)


def take_caches_without_batch(model: ir.Model) -> None:
    """Takes and gives empty caches whose batch is empty, too; takes ``use_cache_branch`` (1,), which nothing reads."""
    graph = model.graph
    tokens = graph.inputs[0]
    caches = [(value, list(value.uses())) for value in graph.inputs if str(value.name).startswith("past_key_values.")]
    emitter = Emitter(graph)
    emitter.before(graph[0], "cache")
    batch = emitter.op("Shape", tokens, start=0, end=1)
    for cache, readers in caches:
        assert cache.shape is not None
        _, heads, length, width = cache.shape
        assert isinstance(heads, int) and isinstance(width, int)
        shape = emitter.op("Concat", batch, emitter.integers(heads, -1, width), axis=0)
        whole = emitter.op("Reshape", cache, shape)
        for node, position in readers:
            node.replace_input_with(position, whole)
        cache.shape = ir.Shape(["past_batch_size", heads, length, width])
    _give_without_batch(graph)
    graph.inputs.append(ir.Value(name="use_cache_branch", shape=ir.Shape([1]), type=ir.TensorType(ir.DataType.BOOL)))


def _give_without_batch(graph: ir.Graph) -> None:
    """Where no frame was computed, the client goes on with what it has if there is no batch, either."""
    emitter = Emitter(graph)
    first = emitter.integers(0)
    for place, computed in enumerate(graph.outputs):
        if computed.shape is None or computed.shape.rank() != 4 or computed.shape[2] != COMPUTED:
            continue
        batch, frames = (emitter.op("Shape", computed, start=axis, end=axis + 1) for axis in (0, 2))
        given = emitter.op("Slice", computed, first, emitter.op("Mul", batch, frames), first)
        given.name, given.type = computed.name, computed.type
        given.shape = ir.Shape([f"{computed.shape[0]} if computed", *computed.shape[1:]])
        computed.name = None
        graph.outputs[place] = given


ADAPTERS: Mapping[Adapter, Callable[[ir.Model], None]] = MappingProxyType(
    {
        Adapter.WAVEFORM: take_waveforms,
        Adapter.NORMALIZED: normalize_waveforms,
        Adapter.CACHE: take_caches_without_batch,
    }
)
"""What changes a model, in place."""
