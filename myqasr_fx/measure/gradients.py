"""Gradients of the log-probability of the model's own tokens: no labels, one backward pass a clip for all layers.

What a caller wants gradients of decides what autograd computes: weights (:func:`weight_gradients`), or results inside
the graphs (:func:`output_gradients`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from myqasr_fx.measure.forced_run import ForcedClip, ForcedRun
from myqasr_fx.process.progress import Progress
from passes.graph import meta, ops
from passes.graph.graph_run import Watch
from passes.observe.activation_stats import GRADIENT, OUTPUT_GRADIENT, Statistics
from passes.observe.observer import Observer, pool

QUANTILE = 0.9
"""Of the gradients of a clip, the published code's."""

Keep = Callable[[str, fx.Node, tuple[Any, ...]], None]
"""Called with layer name, node and arguments of every use of a layer, while the model runs."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerGradient:
    """One use of a layer on one clip.

    Args:
        layer: Name of the layer.
        node: The use.
        output: Its result.
        gradient: Of the log-probability of the clip's own tokens with respect to ``output``, and of its shape.
    """

    layer: str
    node: fx.Node
    output: Tensor = field(repr=False)
    gradient: Tensor = field(repr=False)


def weight_gradients(run: ForcedRun, clip: ForcedClip) -> dict[str, Tensor]:
    """Layer name to ``d log p(y) / d W`` of the weight's own shape; layers that the logits do not need are left out."""
    leaves = _leaves(run)
    with torch.enable_grad():
        own = log_probability(run, clip, leaves)
        found = torch.autograd.grad(own, list(leaves.values()), allow_unused=True)
    by_path = dict(zip(leaves, found, strict=True))
    gradients = {layer.name: by_path.get(layer.weight or "") for layer in run.prepared.layers}
    return {name: gradient for name, gradient in gradients.items() if gradient is not None}


def output_gradients(run: ForcedRun, clip: ForcedClip, keep: Keep | None = None) -> tuple[LayerGradient, ...]:
    """``d log p(y) / d output`` of every use of every layer, products of attention included, in the order of the run.

    Holds the clip's activations while it runs, as training would.

    Args:
        run: The model.
        clip: One clip.
        keep: Sees what each use reads, for what a caller wants of it.
    """
    uses: list[tuple[str, fx.Node, Tensor]] = []

    def watch(node: fx.Node, args: tuple[Any, ...], result: Any) -> None:
        name = meta.get(node, meta.LAYER)
        if name is not None and ops.role_of(node) is not None:
            uses.append((name, node, result))
            if keep is not None:
                keep(name, node, args)

    with torch.enable_grad():
        own = log_probability(run, clip, _leaves(run), watch)
        found = torch.autograd.grad(own, [result for _, _, result in uses])
    return tuple(
        LayerGradient(name, node, result.detach(), gradient)
        for (name, node, result), gradient in zip(uses, found, strict=True)
    )


def gradient_statistics(run: ForcedRun, clips: Sequence[ForcedClip], progress: Progress) -> Statistics:
    """Statistics of the gradients of every layer's weights over all clips, in the role ``GRADIENT``."""
    observers = {layer.name: Observer(()) for layer in run.prepared.layers if layer.weight is not None}
    with progress.stage("observe gradients", len(clips)) as advance:
        for clip in clips:
            for name, gradient in weight_gradients(run, clip).items():
                observers[name](gradient)
            advance(1)
    return {(name, GRADIENT): pool([observer]) for name, observer in observers.items() if observer.count}


def output_gradient_statistics(run: ForcedRun, clips: Sequence[ForcedClip], progress: Progress) -> Statistics:
    """Statistics over clips of a quantile of the gradients of every weighted layer's result, as ``OUTPUT_GRADIENT``."""
    layers = {layer.name: layer for layer in run.prepared.layers if layer.weight is not None}
    observers = {name: Observer(()) for name in layers}
    with progress.stage("observe gradients of outputs", len(clips)) as advance:
        for clip in clips:
            seen: dict[str, list[Tensor]] = {}
            for use in output_gradients(run, clip):
                role = ops.role_of(use.node)
                if use.layer in layers and role is not None and role.kind is layers[use.layer].kind:
                    seen.setdefault(use.layer, []).append(use.gradient.reshape(-1))
            for name, parts in seen.items():
                observers[name](torch.from_numpy(np.quantile(torch.cat(parts).numpy(), QUANTILE, keepdims=True)))
            advance(1)
    return {(name, OUTPUT_GRADIENT): pool([observer]) for name, observer in observers.items() if observer.count}


def log_probability(
    run: ForcedRun, clip: ForcedClip, weights: Mapping[str, Tensor], watch: Watch | None = None
) -> Tensor:
    """Sum over the clip's own tokens of their log-probability."""
    logits = run.logits(clip, run.start(clip), weights, watch)
    return logits.log_softmax(-1).gather(-1, clip.targets.unsqueeze(-1)).sum()


def _leaves(run: ForcedRun) -> dict[str, Tensor]:
    """Attribute path to a weight that wants gradients; shares the stored one's memory."""
    found: dict[str, Tensor] = {}
    for layer in run.prepared.layers:
        if layer.weight is not None:
            found[layer.weight] = run.prepared.weight(layer).detach().requires_grad_()
    return found
