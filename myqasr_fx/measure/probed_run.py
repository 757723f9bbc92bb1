"""One clip forward and, from a random probe of its logits, backward: what every layer read, and the gradient it got."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from myqasr_fx.measure.forced_run import ForcedClip, ForcedRun
from passes.damage.curvature import probe
from passes.graph import meta
from passes.graph.layers import Layer

Seen = Callable[[Layer, fx.Node, tuple[Any, ...], Tensor], None]
"""Called with every use of a layer with a weight: its node, its arguments, and the gradient of its result."""


def run_probed(run: ForcedRun, clip: ForcedClip, generator: torch.Generator, seen: Seen) -> int:
    """Runs one clip.

    Args:
        run: The full-precision model.
        clip: With the model's own tokens.
        generator: Of the probe.
        seen: Told about every use, from the last one to the first.

    Returns:
        Positions L of the logits.
    """
    layers = {layer.name: layer for layer in run.prepared.layers if layer.weight is not None}

    def watch(node: fx.Node, args: tuple[Any, ...], result: Any) -> None:
        layer = layers.get(str(meta.get(node, meta.LAYER)))
        if layer is None or not isinstance(result, Tensor) or not result.numel():
            return
        if not result.requires_grad:
            result.requires_grad_()  # nothing before it does: gradients of weights and inputs are not computed

        @torch.no_grad()
        def hook(gradient: Tensor) -> None:
            seen(layer, node, tuple(arg.detach() if isinstance(arg, Tensor) else arg for arg in args), gradient)

        result.register_hook(hook)

    with torch.enable_grad():
        logits = run.logits(clip, run.start(clip), watch=watch)
        (logits * probe(logits, generator)).sum().backward()
    return len(logits)
