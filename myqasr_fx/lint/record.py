"""The findings about one file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Runs(StrEnum):
    """How a stored low-bit tensor is used when the model runs."""

    KERNEL = "low-bit kernel"
    LOOKUP = "looked up as stored"
    FOLDED = "folded to float at load"
    EACH_RUN = "dequantized on every run"


@dataclass(frozen=True, slots=True)
class LintedNode:
    """One operator over stored low-bit numbers, in the graph that onnxruntime executes.

    Args:
        name: Of the node; of its result where the node has none, of the stored tensor where the node is gone.
        weight: Name of the largest stored low-bit tensor that it reads.
        op: Operator that is executed; ``-`` where the node is gone.
        runs: How the tensor is used.
        bits: Width that the operator reads; None where the tensor holds several widths or is folded.
        shape: Of the tensor that the operator reads.
        stored_bytes: In the file: codes, scales and zero points.
        memory_bytes: Resident: what the operator reads.
        run_bytes: Written anew on every run.
        advice: What would make it a low-bit kernel; None where nothing is wrong.
    """

    name: str
    weight: str
    op: str
    runs: Runs
    bits: int | None
    shape: tuple[int, ...]
    stored_bytes: int
    memory_bytes: int
    run_bytes: int = 0
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class LintReport:
    """One file.

    Args:
        file: Its path.
        bytes: Of the file and of its external data.
        opset: Version of ``ai.onnx`` that it declares; None when it declares none.
        ir_version: Of the file format.
        onnxruntime: Version that loaded it.
        min_opset: Oldest opset that has all its operators and element types.
        min_runtime: Oldest onnxruntime release, of those tried, that loads it as it is declared and runs its low-bit
            products fused; those of operators outside of the tables are not known.
        memory_bytes: Resident constants after load.
        activations: Roundings of activations that are left as an operator of their own.
        nodes: In the order of execution, folded tensors first.
    """

    file: str
    bytes: int
    opset: int | None
    ir_version: int
    onnxruntime: str
    min_opset: int
    min_runtime: str
    memory_bytes: int
    activations: int
    nodes: tuple[LintedNode, ...]

    def count(self, runs: Runs) -> int:
        """Operators of one kind."""
        return sum(node.runs is runs for node in self.nodes)

    @property
    def run_bytes(self) -> int:
        """Bytes of weights written anew on every run."""
        return sum(node.run_bytes for node in self.nodes)

    @property
    def folded_bytes(self) -> int:
        """Bytes that folded weights take beyond what is stored."""
        return sum(node.memory_bytes - node.stored_bytes for node in self.nodes if node.runs is Runs.FOLDED)
