"""Runs a graph with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnxruntime

from myqasr_fx.errors import BundleError


@dataclass(frozen=True, slots=True)
class OrtSettings:
    """Options of a session.

    Args:
        threads: Threads inside an operator; 0 takes one a core.
        optimize: False runs the file as it is, with exact kernels.
        entries: Session options by name, such as ``session.qdq_matmulnbits_accuracy_level``.
        optimized_model: Where to write the graph that is really run.
    """

    threads: int = 0
    optimize: bool = True
    entries: Mapping[str, str] = field(default_factory=dict)
    optimized_model: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", MappingProxyType(dict(self.entries)))

    def session_options(self) -> onnxruntime.SessionOptions:
        """The same for onnxruntime."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self.threads
        if not self.optimize:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        for name, value in self.entries.items():
            options.add_session_config_entry(name, value)
        if self.optimized_model is not None:
            options.optimized_model_filepath = str(self.optimized_model)
        return options


class OrtRunner:
    """A session on the CPU.

    Args:
        path: Model file.
        settings: Options of the session.

    Raises:
        BundleError: onnxruntime refuses the file.
    """

    def __init__(self, path: Path, settings: OrtSettings | None = None) -> None:
        options = (settings or OrtSettings()).session_options()
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base class
            raise BundleError(f"onnxruntime {onnxruntime.__version__} refuses {path}: {error}") from error

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The named outputs for inputs by name."""
        return dict(zip(outputs, self._session.run(list(outputs), dict(feeds)), strict=True))
