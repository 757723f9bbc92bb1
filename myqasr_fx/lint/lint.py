"""Loads a file as a client does and tells what becomes of every low-bit tensor in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import onnx
import onnxruntime
from google.protobuf.message import DecodeError

from myqasr_fx.errors import ExportError
from myqasr_fx.export.executed import FUSED, optimized_graph
from myqasr_fx.lint.record import LintedNode, LintReport, Runs
from myqasr_fx.lint.requirements import min_opset, min_runtime
from myqasr_fx.lint.tensors import (
    bit_width,
    graphs,
    is_float,
    is_low_bit,
    num_bytes,
    num_elements,
    origins,
    stored_tensors,
)

KERNELS = (*FUSED, "MatMulInteger", "ConvInteger", "QGemm", "QAttention", "DynamicQuantizeLSTM", "GatherBlockQuantized")
"""Operators that compute with low-bit weights as they are stored."""

ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "Gemm": "Gemm with transB=1 is not fused: store the weight as (K, N), groups along axis 0, and set transB=0",
        "Transpose": "a Transpose stands between the weight and its product: store the weight as (K, N)",
        "FusedMatMul": "a Transpose stands between the weight and its product: store the weight as (K, N)",
        "Conv": "Conv has no kernel for low-bit weights and float activations: round the activations to 8 bits as "
        "well, or unpack the weight with plain operators, which are folded at load",
        "Gather": "Gather looks up dequantized rows: use GatherBlockQuantized, or gather the codes and dequantize them",
        "MatMul": "the fusion takes 2, 4 or 8 bits with axis 0 of (K, N) and a block_size of 16 to 256, a weight and "
        "scales that nothing else reads, or 8-bit activations beside per-tensor or per-channel weights",
    }
)


def lint(path: Path) -> LintReport:
    """What onnxruntime makes of a file.

    Args:
        path: An ONNX file.

    Raises:
        ExportError: The file cannot be read.
        VerificationError: onnxruntime refuses it.
    """
    model = _read(path)
    executed = optimized_graph(path, {})
    stored = stored_tensors(model.graph)
    view = _View(stored, origins(model.graph, stored), stored_tensors(executed))
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), None)
    return LintReport(
        file=str(path),
        bytes=path.stat().st_size + _external_bytes(path, model.graph),
        opset=opset,
        ir_version=model.ir_version,
        onnxruntime=onnxruntime.__version__,
        min_opset=min_opset(model),
        min_runtime=min_runtime(model, opset),
        memory_bytes=sum(num_bytes(tensor) for tensor in view.kept.values()),
        activations=sum(view.rounds_activations(node) for node in _nodes(executed)),
        nodes=(*view.folded(), *view.executed(executed)),
    )


def _read(path: Path) -> onnx.ModelProto:
    hint = "give the whole file that an ONNX exporter wrote"
    try:
        model = onnx.load(path, format="protobuf", load_external_data=False)
    except OSError as error:
        raise ExportError(f"{path}: no ONNX file: {error}", hint=hint) from error
    except DecodeError as error:
        size = path.stat().st_size
        raise ExportError(
            f"{path}: no ONNX file: its {size:,} bytes are no protobuf, or cut short", hint=hint
        ) from error
    if not model.HasField("graph"):
        raise ExportError(f"{path}: no ONNX file: its {path.stat().st_size:,} bytes hold no graph", hint=hint)
    return model


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A file and what onnxruntime keeps of it.

    Args:
        stored: Tensors of the file.
        origins: Constant value of the file to the stored tensors behind it.
        kept: Tensors of the executed graph.
    """

    stored: Mapping[str, onnx.TensorProto]
    origins: Mapping[str, frozenset[str]]
    kept: Mapping[str, onnx.TensorProto]

    def folded(self) -> Iterator[LintedNode]:
        """Float constants that onnxruntime computed from low-bit tensors."""
        order = {name: position for position, name in enumerate(self.stored)}
        found = []
        for name, tensor in self.kept.items():
            roots = self._roots(name)
            codes = sorted((root for root in roots if is_low_bit(self.stored[root])), key=order.__getitem__)
            if name not in self.stored and is_float(tensor) and codes:
                largest = max(codes, key=lambda root: num_bytes(self.stored[root]))
                sizes = (self._bytes(roots), num_bytes(tensor))
                found.append(LintedNode(largest, largest, "-", Runs.FOLDED, None, tuple(tensor.dims), *sizes))
        return iter(sorted(found, key=lambda node: order[node.name]))

    def executed(self, graph: onnx.GraphProto) -> Iterator[LintedNode]:
        """Operators that read low-bit tensors, in order."""
        for each in graphs(graph):
            for node in each.node:
                tensors = [self.kept[name] for name in node.input if name in self.kept]
                weights = [tensor for tensor in tensors if is_low_bit(tensor)]
                if node.op_type in KERNELS:
                    weight = max(weights, key=num_bytes, default=None)
                    if weight is not None:
                        yield self._node(node, weight, Runs.KERNEL)
                elif node.op_type == "DequantizeLinear" and node.input[0] in self.kept:
                    readers = [reader.op_type for reader in each.node if node.output[0] in reader.input]
                    yield self._each_run(node, readers)
                elif node.op_type == "Gather" and weights:
                    yield self._node(node, weights[0], Runs.LOOKUP)

    def rounds_activations(self, node: onnx.NodeProto) -> bool:
        """True for an operator that rounds an activation, or brings one back to float."""
        alone = node.op_type in ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
        return alone and node.input[0] not in self.kept

    def _node(self, node: onnx.NodeProto, weight: onnx.TensorProto, runs: Runs) -> LintedNode:
        read = [name for name in node.input if name in self.kept]
        width = next((a.i for a in node.attribute if a.name == "bits"), bit_width(weight))
        return LintedNode(
            name=node.name or node.output[0] if runs is Runs.KERNEL else weight.name,
            weight=self._stored_name(weight.name),
            op=node.op_type,
            runs=runs,
            bits=width if runs is Runs.KERNEL else None,
            shape=tuple(weight.dims),
            stored_bytes=self._bytes(frozenset().union(*(self._roots(name) for name in read))),
            memory_bytes=sum(num_bytes(self.kept[name]) for name in read),
        )

    def _each_run(self, node: onnx.NodeProto, readers: Iterable[str]) -> LintedNode:
        found = self._node(node, self.kept[node.input[0]], Runs.EACH_RUN)
        weight, scale = self.kept[node.input[0]], self.kept.get(node.input[1])
        reader = next(iter(readers), "no operator")
        return LintedNode(
            name=node.name or weight.name,
            weight=found.weight,
            op=f"DequantizeLinear -> {reader}",
            runs=Runs.EACH_RUN,
            bits=bit_width(weight),
            shape=tuple(weight.dims),
            stored_bytes=found.stored_bytes,
            memory_bytes=found.memory_bytes,
            run_bytes=num_elements(weight) * (32 if scale is None else bit_width(scale)) // 8,
            advice=ADVICE.get(reader, f"{reader} has no low-bit kernel: keep its input in float or fold it at load"),
        )

    def _roots(self, name: str) -> frozenset[str]:
        """Stored tensors behind a kept one; onnxruntime appends ``_T`` where it transposes."""
        return self.origins.get(name) or self.origins.get(name.removesuffix("_T"), frozenset())

    def _stored_name(self, name: str) -> str:
        """The largest stored low-bit tensor behind a kept one; its own name when none is known."""
        codes = sorted(root for root in self._roots(name) if is_low_bit(self.stored[root]))
        return max(codes, key=lambda root: num_bytes(self.stored[root]), default=name)

    def _bytes(self, roots: Iterable[str]) -> int:
        return sum(num_bytes(self.stored[root]) for root in roots)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    return (node for each in graphs(graph) for node in each.node)


def _external_bytes(path: Path, graph: onnx.GraphProto) -> int:
    tensors = (tensor for each in graphs(graph) for tensor in each.initializer)
    names = {entry.value for tensor in tensors for entry in tensor.external_data if entry.key == "location"}
    return sum((path.parent / name).stat().st_size for name in names if (path.parent / name).is_file())
