"""What onnxruntime really runs: the optimized graph, read back."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import onnx
import onnxruntime

from myqasr_fx.bundle.temporary_folder import temporary_folder
from myqasr_fx.errors import OutputError, VerificationError
from myqasr_fx.process.library_error import first_line
from myqasr_fx.process.onnx_session import OPTIMIZED_TENSORS, open_session

FUSED = ("MatMulNBits", "QLinearMatMul", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QLinearConv")
"""Kernels that read low-bit weights."""


class Unfused(StrEnum):
    """Why a quantized weight is not read by a low-bit kernel; nothing else is accepted."""

    EMBEDDING_ROWS = "embedding rows"
    FOLDED = "folded to float at load"
    KEPT_FLOAT = "kept in float"


@dataclass(frozen=True, slots=True)
class ExecutedGraph:
    """Operators of one file after onnxruntime's own optimization.

    Args:
        op_types: Operator type to count.
        unfused: Names of DequantizeLinear nodes over stored weights that would run again on every call.
    """

    op_types: Mapping[str, int]
    unfused: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "op_types", MappingProxyType(dict(self.op_types)))

    @property
    def fused(self) -> int:
        """Nodes that read low-bit weights."""
        return sum(self.op_types.get(kind, 0) for kind in FUSED)


def executed_graph(path: Path, options: Mapping[str, str]) -> ExecutedGraph:
    """Operators that onnxruntime executes for a file; arguments and errors as of :func:`optimized_graph`."""
    return _counted(optimized_graph(path, options))


def read_executed(optimized: Path) -> ExecutedGraph:
    """Operators of the graph that a session wrote when it was opened."""
    return _counted(onnx.load(optimized, load_external_data=False).graph)


def _counted(graph: onnx.GraphProto) -> ExecutedGraph:
    stored = {tensor.name for tensor in graph.initializer}
    unfused = tuple(n.name for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in stored)
    return ExecutedGraph(Counter(node.op_type for node in graph.node), unfused)


def optimized_graph(path: Path, options: Mapping[str, str]) -> onnx.GraphProto:
    """Loads a file as a client does and reads back the graph that onnxruntime made of it.

    Args:
        path: An ONNX file.
        options: Session configuration entries.

    Raises:
        OutputError: The temporary folder is full.
        VerificationError: onnxruntime refuses the file.
    """
    session_options = onnxruntime.SessionOptions()
    session_options.log_severity_level = 4
    for key, value in options.items():
        session_options.add_session_config_entry(key, value)
    with temporary_folder() as folder:
        optimized = folder / "optimized.onnx"
        session_options.optimized_model_filepath = str(optimized)
        session_options.add_session_config_entry(OPTIMIZED_TENSORS, f"{optimized.name}_data")
        try:
            open_session(path, session_options)
        except Exception as error:
            check_room(folder, path, error)
            version = onnxruntime.__version__
            raise VerificationError(f"onnxruntime {version} refuses {path.name}: {first_line(error)}") from error
        return onnx.load(optimized, load_external_data=False).graph


def check_room(folder: Path, path: Path, error: Exception) -> None:
    """Tells why a graph could not be written to a temporary folder, where that is full.

    Args:
        folder: Inside the temporary folder.
        path: The file that was opened.
        error: What onnxruntime said of it.

    Raises:
        OutputError: The folder has less room than the file takes.
    """
    if shutil.disk_usage(folder).free < path.stat().st_size:
        where = f"no space left in the temporary folder {folder.parent}"
        raise OutputError(where, hint="free some, or set TMPDIR to another folder") from error


def check_executed(path: Path, options: Mapping[str, str], expected: int) -> ExecutedGraph:
    """The executed graph of a file, refused when a weight would be dequantized on every call.

    Args:
        path: An ONNX file.
        options: Session configuration entries.
        expected: Matrix products over low-bit weights in the file.

    Raises:
        VerificationError: A DequantizeLinear is left over a stored weight, or fewer kernels than expected are fused.
    """
    return check_fused(path.name, executed_graph(path, options), expected)


def check_fused(name: str, executed: ExecutedGraph, expected: int) -> ExecutedGraph:
    """The same of a graph that was read back.

    Args:
        name: Of the file.
        executed: Its operators.
        expected: Matrix products over low-bit weights in the file.

    Raises:
        VerificationError: As above.
    """
    if executed.unfused or executed.fused < expected:
        left = ", ".join(executed.unfused[:3]) or "none left"
        raise VerificationError(
            f"{name}: {executed.fused} of {expected} low-bit matrix products run fused; DequantizeLinear: {left}",
            hint="update onnxruntime, or keep these layers in float (--rules; in Python keep=)",
        )
    return executed
