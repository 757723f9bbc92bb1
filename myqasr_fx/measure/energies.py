"""How much each frame that a layer reads matters to what the model writes: squared gradients, by value and clip.

Rounding in sequence minimizes errors of outputs, ``sum_t w_t |(W - Q) x_t|^2``. To second order an error of frame t
costs what the gradient ``g_t`` of the layer's result says, see ``passes.damage.curvature``; its square, over all
outputs and relative to the mean of the clip, is the frame's energy. Layers that read one value share the mean of
theirs.

Source: Kim et al., "GuidedQuant: Large Language Model Quantization via Exploiting End Loss Guidance", ICML 2025, with
one group of outputs.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, fx

from myqasr_fx.measure.forced_run import ForcedRun
from passes.graph import ops
from passes.graph.ops import LayerKind

Energies = Mapping[tuple[int, str], Tensor]
"""Position of a clip, and a value's graph and name, to (…, frames) float32 of mean 1."""


def value_key(graph: str, node: fx.Node) -> str:
    """What names a value of a program, in any copy of it."""
    return f"{graph}/{node.name}"


class EnergySum:
    """Adds up the energies of one clip.

    Args:
        run: The model that the clip passes.
    """

    def __init__(self, run: ForcedRun) -> None:
        self._graphs = {graph.module.graph: name for name, graph in zip(run.graphs, run.runs, strict=True)}
        self._found: dict[str, list[Tensor]] = {}

    def add(self, node: fx.Node, gradient: Tensor) -> None:
        """Adds one use of a layer, whose result has this gradient; a lookup reads no frames."""
        role = ops.role_of(node)
        if role is None or role.kind is LayerKind.EMBEDDING or gradient.ndim < 3:
            return
        (source,) = ops.activation_nodes(node)
        energy = (gradient.transpose(-1, -2) if role.kind.convolves else gradient).square().sum(-1)
        mean = energy.mean()
        if float(mean) > 0:
            self._found.setdefault(value_key(self._graphs[node.graph], source), []).append(energy / mean)

    def means(self) -> dict[str, Tensor]:
        """Value to the mean over the layers that read it."""
        return {key: torch.stack(energies).mean(0) for key, energies in self._found.items()}
