"""The model in torch: outputs of every layer along a run, and runs with quantized weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, fx

from myqasr_fx.bundle.bundle import LayerRecord
from myqasr_fx.measure.forced_run import Cut, ForcedClip, ForcedRun
from myqasr_fx.models.prepared import Prepared
from passes.graph import meta, ops
from passes.graph.layers import Layer
from passes.graph.ops import LayerKind
from passes.numbers.scheme import HALF_BITS
from passes.rounding.correct_biases import bias_node

Seen = dict[str, npt.NDArray[np.float32]]

Alone = tuple[Layer, list[Tensor]]
"""A layer, and the logits of every clip when it alone is quantized."""


def quantized_weights(
    prepared: Prepared, layers: Sequence[LayerRecord], stored: Mapping[str, Mapping[int, npt.NDArray[np.float32]]]
) -> dict[str, Tensor]:
    """Layer name to its weight as the bundle holds it, in its own shape; layers in float32 are left out.

    Args:
        prepared: Full-precision graphs.
        layers: Of the bundle.
        stored: Of :func:`myqasr_fx.export.read_weights.read_weights`.
    """
    records = {record.name: record for record in layers}
    found = {}
    for layer in prepared.layers:
        record = records.get(layer.name)
        if record is None or layer.weight is None or all(block.bits > HALF_BITS for block in record.blocks):
            continue
        weight = prepared.weight(layer).detach().clone()
        for index, block in enumerate(record.blocks):
            rows = weight[block.start : block.stop]
            values = stored.get(layer.name, {}).get(index)
            if values is not None:
                rows.copy_(torch.from_numpy(values).reshape(rows.shape))
            elif block.bits == HALF_BITS:
                rows.copy_(rows.half().float())
        found[layer.name] = weight
    return found


@dataclass(frozen=True, slots=True, eq=False)
class TorchSide:
    """Teacher-forced runs of one model.

    Args:
        run: The graphs.
        weights: Layer name to a weight that takes the place of the stored one.
        floats: The same for other tensors, by their names.
    """

    run: ForcedRun
    weights: Mapping[str, Tensor]
    floats: Mapping[str, Tensor] = field(default_factory=dict)

    def outputs(self, clip: ForcedClip) -> tuple[Tensor, Seen]:
        """Logits (L, vocabulary), and what every layer computes; a linear layer's without its bias."""
        seen: Seen = {}

        def watch(node: fx.Node, args: tuple[Any, ...], result: Any) -> None:
            name, role = meta.get(node, meta.LAYER), ops.role_of(node)
            if name is None or role is None or not isinstance(result, Tensor):
                return
            if role.kind is LayerKind.LINEAR and args[2] is not None:
                result = result - args[2]
            seen[name] = result.numpy()

        replaced = {**self.floats, **self._replaced(self.weights)}
        with torch.no_grad():
            return self.run.logits(clip, self.run.start(clip), replaced, watch), seen

    def _replaced(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {str(layer.weight): weights[layer.name] for layer in self.run.prepared.layers if layer.name in weights}

    def alone(self, clips: Sequence[ForcedClip], other: TorchSide, done: Callable[[int], None]) -> Iterator[Alone]:
        """Runs with one layer of ``other`` at a time, its bias included, in network order."""
        weights = other.weights
        groups: dict[Cut, list[Layer]] = {}
        steps = self.run.first_steps()
        for layer in self.run.prepared.layers:
            if layer.name in weights and layer.name in steps:
                graph, position = steps[layer.name]
                groups.setdefault((graph, self.run.runs[graph].cut_before(position)), []).append(layer)
        with torch.no_grad():
            states = [self.run.start(clip) for clip in clips]
            for cut, layers in sorted(groups.items(), key=lambda group: group[0]):
                states = [self.run.advance(clip, state, cut) for clip, state in zip(clips, states, strict=True)]
                for layer in layers:
                    replaced = {**other.bias(layer), **self._replaced({layer.name: weights[layer.name]})}
                    pairs = zip(clips, states, strict=True)
                    yield layer, [self.run.logits(clip, state, replaced) for clip, state in pairs]
                    done(1)

    def bias(self, layer: Layer) -> dict[str, Tensor]:
        """The path of a layer's bias to its values, where another takes the place of the stored one."""
        graph, position = self.run.first_steps()[layer.name]
        node = bias_node(self.run.runs[graph].steps[position])
        path = "" if node is None else str(node.target)
        return {path: self.floats[path]} if path in self.floats else {}
