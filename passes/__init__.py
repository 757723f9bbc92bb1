"""Graph compiler passes for mixed-precision quantization; usable alone on any exported FX graph.

Every name in ``__all__`` is imported from its module when it is first asked for: ``import passes`` loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from passes.allocation.allocate_bits import AllocateBits
    from passes.base import Fact, GraphPass, Pass, PassResult, Program, ProgramPass
    from passes.calibration.calibrate import Calibrate
    from passes.canonical.canonicalize import Canonicalize
    from passes.canonical.decompose_attention import DecomposeAttention
    from passes.canonical.replace_parameters import ReplaceParameters
    from passes.graph.layers import Layer, Use, find_layers
    from passes.graph.ops import LayerKind
    from passes.lowering.fold_constants import FoldConstants
    from passes.lowering.fuse_round_trips import FuseRoundTrips
    from passes.lowering.late_constants import LateConstants
    from passes.lowering.lower_fake_quant import LowerToFakeQuant
    from passes.lowering.lower_qdq import LowerToQDQ
    from passes.manager.manager import PassManager, PassTiming, PipelineResult
    from passes.manager.run_passes import run_passes
    from passes.numbers.scheme import BitScheme, Granularity, LayerScheme, RowBlock, WeightSpec
    from passes.observe.activation_stats import ActivationStats, Statistics
    from passes.observe.insert_gram_observers import InsertGramObservers, read_grams
    from passes.observe.insert_observers import InsertObservers, read_statistics
    from passes.observe.observer import Observer
    from passes.observe.remove_observers import RemoveObservers
    from passes.rounding.correct_biases import CorrectBiases
    from passes.rounding.restore_layers import RestoreLayers
    from passes.rounding.round_floats import RoundFloats
    from passes.rounding.round_weights import RoundWeights
    from passes.sensitivity.rank_sensitivity import RankSensitivity

_HOME = {
    "ActivationStats": "observe.activation_stats",
    "AllocateBits": "allocation.allocate_bits",
    "BitScheme": "numbers.scheme",
    "Calibrate": "calibration.calibrate",
    "Canonicalize": "canonical.canonicalize",
    "CorrectBiases": "rounding.correct_biases",
    "DecomposeAttention": "canonical.decompose_attention",
    "Fact": "base",
    "FoldConstants": "lowering.fold_constants",
    "FuseRoundTrips": "lowering.fuse_round_trips",
    "Granularity": "numbers.scheme",
    "GraphPass": "base",
    "InsertGramObservers": "observe.insert_gram_observers",
    "InsertObservers": "observe.insert_observers",
    "LateConstants": "lowering.late_constants",
    "Layer": "graph.layers",
    "LayerKind": "graph.ops",
    "LayerScheme": "numbers.scheme",
    "LowerToFakeQuant": "lowering.lower_fake_quant",
    "LowerToQDQ": "lowering.lower_qdq",
    "Observer": "observe.observer",
    "Pass": "base",
    "PassManager": "manager.manager",
    "PassResult": "base",
    "PassTiming": "manager.manager",
    "PipelineResult": "manager.manager",
    "Program": "base",
    "ProgramPass": "base",
    "RankSensitivity": "sensitivity.rank_sensitivity",
    "RemoveObservers": "observe.remove_observers",
    "ReplaceParameters": "canonical.replace_parameters",
    "RestoreLayers": "rounding.restore_layers",
    "RoundFloats": "rounding.round_floats",
    "RoundWeights": "rounding.round_weights",
    "RowBlock": "numbers.scheme",
    "Statistics": "observe.activation_stats",
    "Use": "graph.layers",
    "WeightSpec": "numbers.scheme",
    "find_layers": "graph.layers",
    "read_grams": "observe.insert_gram_observers",
    "read_statistics": "observe.insert_observers",
    "run_passes": "manager.run_passes",
}
"""Public name to the module that defines it."""

__all__ = [
    "ActivationStats",
    "AllocateBits",
    "BitScheme",
    "Calibrate",
    "Canonicalize",
    "CorrectBiases",
    "DecomposeAttention",
    "Fact",
    "FoldConstants",
    "FuseRoundTrips",
    "Granularity",
    "GraphPass",
    "InsertGramObservers",
    "InsertObservers",
    "LateConstants",
    "Layer",
    "LayerKind",
    "LayerScheme",
    "LowerToFakeQuant",
    "LowerToQDQ",
    "Observer",
    "Pass",
    "PassManager",
    "PassResult",
    "PassTiming",
    "PipelineResult",
    "Program",
    "ProgramPass",
    "RankSensitivity",
    "RemoveObservers",
    "ReplaceParameters",
    "RestoreLayers",
    "RoundFloats",
    "RoundWeights",
    "RowBlock",
    "Statistics",
    "Use",
    "WeightSpec",
    "find_layers",
    "read_grams",
    "read_statistics",
    "run_passes",
]


def __getattr__(name: str) -> Any:
    """Imports a public name on first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
