"""What exported files must compute: the fake-quantized graphs in torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import fx

from passes.base import Pass, Program
from passes.graph import meta
from passes.lowering.fold_constants import FoldConstants
from passes.lowering.fuse_round_trips import FuseRoundTrips
from passes.lowering.late_constants import LateConstants
from passes.lowering.lower_fake_quant import LowerToFakeQuant
from passes.manager.run_passes import run_passes
from passes.numbers.affine import QParams

LOWERING: tuple[Pass, ...] = (LowerToFakeQuant(),)
"""To what is compared with files."""


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
    lowered = run_passes(rounded, LOWERING, dump_ir and dump_ir / "fake_quant")
    if not any(_rounds_inputs(node) for _, _, node in rounded.nodes()):
        return Reference(lowered, None, roundings)
    return Reference(lowered, run_passes(_with_float_activations(rounded), LOWERING), roundings)


def runnable_in_torch(rounded: Program) -> Program:
    """A lowered copy of a program whose nodes carry quantized weights and activation qparams, dequantized once."""
    return dequantized_once(run_passes(rounded, LOWERING))


def dequantized_once(fake_quant: Program) -> Program:
    """A copy of fake-quantized graphs that computes the same bits from float weights: 4 bytes a weight in memory."""
    return run_passes(fake_quant, (FoldConstants(), FuseRoundTrips()))


def dequantized_late(fake_quant: Program) -> Program:
    """A copy that computes the same bits with the float weights of one layer at a time, in every run."""
    return run_passes(fake_quant, (LateConstants(), FuseRoundTrips()))


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
