"""What exported files must compute: the fake-quantized graphs in torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import fx

from passes.base import Fact, Program
from passes.graph import meta
from passes.lowering.fold_constants import FoldConstants
from passes.lowering.fuse_round_trips import FuseRoundTrips
from passes.lowering.lower_fake_quant import LowerToFakeQuant
from passes.manager.manager import PassManager
from passes.numbers.affine import QParams


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Fake-quantized graphs.

    Args:
        fake_quant: With all that is quantized.
        float_activations: The same without rounded activations; None when none is rounded.
        roundings: Graph name to scale and zero point of every activation with a calibrated range.
    """

    fake_quant: Program
    float_activations: Program | None
    roundings: Mapping[str, frozenset[tuple[float, int]]]


def make_reference(rounded: Program, dump_ir: Path | None = None) -> Reference:
    """Lowers copies of a program whose nodes carry quantized weights and activation qparams.

    Args:
        rounded: Left as it is.
        dump_ir: Folder for the graph after the pass.
    """
    roundings = {name: _roundings(module) for name, module in rounded.graphs.items()}
    lowered = _lower(rounded.clone(), dump_ir and dump_ir / "fake_quant")
    if not any(_rounds_inputs(node) for _, _, node in rounded.nodes()):
        return Reference(lowered, None, roundings)
    return Reference(lowered, _lower(_with_float_activations(rounded)), roundings)


def runnable_in_torch(rounded: Program) -> Program:
    """A lowered copy of a program whose nodes carry quantized weights and activation qparams, dequantized once."""
    return dequantized_once(_lower(rounded.clone()))


def dequantized_once(fake_quant: Program) -> Program:
    """A copy of fake-quantized graphs that computes the same bits from float weights: 4 bytes a weight in memory."""
    program = fake_quant.clone()
    PassManager((FoldConstants(), FuseRoundTrips()), frozenset({Fact.FAKE_QUANT}))(program)
    return program


def _roundings(module: fx.GraphModule) -> frozenset[tuple[float, int]]:
    return frozenset(
        (float(qparams.scale), int(qparams.zero_point))
        for node in module.graph.nodes
        for qparams in meta.get(node, meta.ACTIVATION_QPARAMS) or ()
        if isinstance(qparams, QParams)
    )


def _rounds_inputs(node: fx.Node) -> bool:
    return any(found is not None for found in meta.get(node, meta.ACTIVATION_QPARAMS) or ())


def _with_float_activations(rounded: Program) -> Program:
    program = rounded.clone()
    for _, _, node in program.nodes():
        if meta.get(node, meta.ACTIVATION_QPARAMS) is not None:
            meta.put(node, meta.ACTIVATION_QPARAMS, None)
    return program


def _lower(program: Program, dump_ir: Path | None = None) -> Program:
    PassManager((LowerToFakeQuant(),), frozenset({Fact.CANONICAL, Fact.ROUNDED}), dump_ir)(program)
    return program
