"""What rounding each layer alone costs, for all layers in one forward and one backward pass a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from myqasr_fx.measure.forced_run import ForcedClip, ForcedRun
from myqasr_fx.measure.probed_run import run_probed
from myqasr_fx.process.freed_memory import trim
from myqasr_fx.process.progress import MODEL_PASSES, Progress
from passes.damage.probed_change import damage_of, probed_change
from passes.graph.layers import Layer
from passes.numbers.quantized_weight import QuantizedWeight
from passes.observe.activation_stats import ActivationStats
from passes.observe.observer import Observer, pool


def probe_damage(
    run: ForcedRun,
    clips: Sequence[ForcedClip],
    rounded: Mapping[str, QuantizedWeight],
    seed: int,
    progress: Progress,
) -> dict[str, ActivationStats]:
    """Nats a position over clips, of each of the rounded layers that the logits need.

    Args:
        run: The full-precision model.
        clips: At least one, with the model's own tokens.
        rounded: Layer name to its rounded weight.
        seed: Of the random probes.
        progress: Told about every clip.
    """
    observers = {name: Observer(()) for name in rounded}
    generator = torch.Generator().manual_seed(seed)
    with progress.stage("probe rounded layers", len(clips)) as advance:
        for clip in clips:
            changes: dict[str, Tensor] = {}

            def add(
                layer: Layer, node: fx.Node, args: tuple[Any, ...], gradient: Tensor, to: dict[str, Tensor] = changes
            ) -> None:
                if layer.name in rounded:
                    error = rounded[layer.name].dequantize() - run.prepared.weight(layer).detach()
                    change = probed_change(node, args, error, gradient)
                    to[layer.name] = to[layer.name] + change if layer.name in to else change

            with progress.part(MODEL_PASSES):
                positions = run_probed(run, clip, generator, add)
            for name, change in changes.items():
                observers[name](torch.tensor([damage_of(change, positions)]))
            advance(1)
    trim()
    return {name: pool([observer]) for name, observer in observers.items() if observer.count}
