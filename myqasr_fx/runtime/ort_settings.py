"""How a session of onnxruntime is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import onnxruntime

from myqasr_fx.process.onnx_session import OPTIMIZED_TENSORS
from myqasr_fx.process.threads import session_threads

_NO_LOW_BIT_KERNELS = "session.disable_quant_qdq"
"""DequantizeLinear is an operator as any other, so that what it makes of stored weights is a constant."""

_SLEEP_BETWEEN_RUNS = "session.force_spinning_stop"
"""Idle threads ask for work again and again, but not behind a run: those of the encoder would take a core from the
decoder, and those of a step from what lies between steps, a third of the time of a clip on two cores."""


@dataclass(frozen=True, slots=True)
class OrtSettings:
    """Options of a session.

    Args:
        threads: Threads inside an operator; 0 takes one a core, or this process's share of them.
        optimize: False runs the file with exact kernels; only what no input changes, such as unpacked weights, is
            computed once.
        unfolds: False, without ``optimize``: also unpacked weights are computed anew on every run, each when it is
            needed, in a tenth of the memory.
        entries: Session options by name, such as ``session.qdq_matmulnbits_accuracy_level``.
        optimized_model: Where to write the graph that is really run.
        kept: Folder in which optimized graphs are kept, which makes the next start fast; None keeps none.
        cross_attention: Whisper's decoder also gives the weights of its cross-attention, which times of words need.
        arena: What a run takes stays with the session for the next one; False takes it anew, and leaves it to others
            between runs.
        hands_back: Memory that unfolding took goes back to the system when the file is open, half of what the process
            holds; False is a tenth of a second faster.
    """

    threads: int = 0
    optimize: bool = True
    unfolds: bool = True
    entries: Mapping[str, str] = field(default_factory=dict)
    optimized_model: Path | None = None
    kept: Path | None = None
    cross_attention: bool = False
    arena: bool = True
    hands_back: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", MappingProxyType(dict(self.entries)))

    def written_to(self, path: Path) -> OrtSettings:
        """The same, writing the graph that is really run to ``path``, its tensors to a file beside it."""
        return replace(self, entries={**self.entries, OPTIMIZED_TENSORS: f"{path.name}_data"}, optimized_model=path)

    def session_options(self) -> onnxruntime.SessionOptions:
        """The same for onnxruntime."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self.threads or session_threads()
        options.enable_cpu_mem_arena = self.arena
        if not self.optimize:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
            options.add_session_config_entry(_NO_LOW_BIT_KERNELS, "1")
            options.enable_cpu_mem_arena = False  # it rounds up what unfolded weights take
            if not self.unfolds:
                options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
                options.enable_mem_pattern = False
        for name, value in {_SLEEP_BETWEEN_RUNS: "1", **self.entries}.items():
            options.add_session_config_entry(name, value)
        if self.optimized_model is not None:
            options.optimized_model_filepath = str(self.optimized_model)
        return options
