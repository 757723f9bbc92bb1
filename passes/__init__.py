"""Graph compiler passes for mixed-precision quantization; usable alone on any exported FX graph.

Every name in ``__all__`` is imported from its module when it is first asked for: ``import passes`` loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from passes.activation_stats import ActivationStats, Statistics
    from passes.allocate_bits import AllocateBits
    from passes.base import Fact, GraphPass, Pass, PassResult, Program, ProgramPass
    from passes.calibrate import Calibrate
    from passes.canonicalize import Canonicalize
    from passes.correct_biases import CorrectBiases
    from passes.decompose_attention import DecomposeAttention
    from passes.fold_constants import FoldConstants
    from passes.fuse_round_trips import FuseRoundTrips
    from passes.insert_gram_observers import InsertGramObservers, read_grams
    from passes.insert_observers import InsertObservers, read_statistics
    from passes.layers import Layer, Use, find_layers
    from passes.lower_fake_quant import LowerToFakeQuant
    from passes.lower_qdq import LowerToQDQ
    from passes.manager import PassManager, PassTiming, PipelineResult
    from passes.observer import Observer
    from passes.ops import LayerKind
    from passes.rank_sensitivity import RankSensitivity
    from passes.remove_observers import RemoveObservers
    from passes.round_floats import RoundFloats
    from passes.round_weights import RoundWeights
    from passes.scheme import BitScheme, Granularity, LayerScheme, RowBlock, WeightSpec

_HOME = {
    "ActivationStats": "activation_stats",
    "AllocateBits": "allocate_bits",
    "BitScheme": "scheme",
    "Calibrate": "calibrate",
    "Canonicalize": "canonicalize",
    "CorrectBiases": "correct_biases",
    "DecomposeAttention": "decompose_attention",
    "Fact": "base",
    "FoldConstants": "fold_constants",
    "FuseRoundTrips": "fuse_round_trips",
    "Granularity": "scheme",
    "GraphPass": "base",
    "InsertGramObservers": "insert_gram_observers",
    "InsertObservers": "insert_observers",
    "Layer": "layers",
    "LayerKind": "ops",
    "LayerScheme": "scheme",
    "LowerToFakeQuant": "lower_fake_quant",
    "LowerToQDQ": "lower_qdq",
    "Observer": "observer",
    "Pass": "base",
    "PassManager": "manager",
    "PassResult": "base",
    "PassTiming": "manager",
    "PipelineResult": "manager",
    "Program": "base",
    "ProgramPass": "base",
    "RankSensitivity": "rank_sensitivity",
    "RemoveObservers": "remove_observers",
    "RoundFloats": "round_floats",
    "RoundWeights": "round_weights",
    "RowBlock": "scheme",
    "Statistics": "activation_stats",
    "Use": "layers",
    "WeightSpec": "scheme",
    "find_layers": "layers",
    "read_grams": "insert_gram_observers",
    "read_statistics": "insert_observers",
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
    "RoundFloats",
    "RoundWeights",
    "RowBlock",
    "Statistics",
    "Use",
    "WeightSpec",
    "find_layers",
    "read_grams",
    "read_statistics",
]


def __getattr__(name: str) -> Any:
    """Imports a public name on first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
