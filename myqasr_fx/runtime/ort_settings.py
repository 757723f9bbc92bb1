"""How a session of onnxruntime is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import onnxruntime

_NO_LOW_BIT_KERNELS = "session.disable_quant_qdq"
"""DequantizeLinear is an operator as any other, so that what it makes of stored weights is a constant."""


@dataclass(frozen=True, slots=True)
class OrtSettings:
    """Options of a session.

    Args:
        threads: Threads inside an operator; 0 takes one a core.
        optimize: False runs the file with exact kernels; only what no input changes, such as unpacked weights, is
            computed once.
        entries: Session options by name, such as ``session.qdq_matmulnbits_accuracy_level``.
        optimized_model: Where to write the graph that is really run.
        kept: Folder in which optimized graphs are kept, which makes the next start fast; None keeps none.
        cross_attention: Whisper's decoder also gives the weights of its cross-attention, which times of words need.
    """

    threads: int = 0
    optimize: bool = True
    entries: Mapping[str, str] = field(default_factory=dict)
    optimized_model: Path | None = None
    kept: Path | None = None
    cross_attention: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", MappingProxyType(dict(self.entries)))

    def session_options(self) -> onnxruntime.SessionOptions:
        """The same for onnxruntime."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self.threads
        if not self.optimize:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
            options.add_session_config_entry(_NO_LOW_BIT_KERNELS, "1")
        for name, value in self.entries.items():
            options.add_session_config_entry(name, value)
        if self.optimized_model is not None:
            options.optimized_model_filepath = str(self.optimized_model)
        return options
