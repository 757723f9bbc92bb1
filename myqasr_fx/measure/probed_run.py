"""One clip forward and, from a random probe of its logits, backward: what every layer read, and the gradient it got.

The clip goes in stretches, from one cut of the run to the next. What a stretch computed is kept for its way back as
far as memory is given for that, the last ones first; others are run a second time, from the values at their begin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, fx

from myqasr_fx.measure.forced_run import Cut, ForcedClip, ForcedRun, ForcedState
from passes.damage.curvature import probe
from passes.graph import meta
from passes.graph.graph_run import Watch
from passes.graph.layers import Layer

Seen = Callable[[Layer, fx.Node, tuple[Any, ...], Tensor], None]
"""Called with every use of a layer with a weight: its node, its arguments, and the gradient of its result."""

HELD_BYTES = 400_000_000
"""Of results that wait for their gradients."""


@dataclass(slots=True, eq=False)
class _Stretch:
    """A part of the run.

    Args:
        start: Values at its begin; those on which gradients depend are leaves.
        stop: Where it ends; None: with the logits.
        gradients: Of the leaves, behind the way back.
        end: Values there that hold on to how they were computed; None where they have to be computed again.
        held: Bytes of what they hold on to.
    """

    start: ForcedState
    stop: Cut | None
    gradients: dict[fx.Node, Tensor]
    end: Mapping[fx.Node, Any] | None = None
    held: int = 0

    @classmethod
    def of(cls, state: ForcedState, stop: Cut | None) -> _Stretch:
        """One that begins with values of another, cut off from what computed them."""
        values, gradients = dict(state.state.values), dict[fx.Node, Tensor]()
        for node, value in state.state.values.items():
            if isinstance(value, Tensor) and value.requires_grad:
                values[node] = value.detach().requires_grad_()
                # As it comes: in ``grad`` it would take the order in memory of the value, and sums of it another order.
                values[node].register_hook(partial(gradients.__setitem__, node))
        return cls(replace(state, state=replace(state.state, values=MappingProxyType(values))), stop, gradients)


def run_probed(
    run: ForcedRun, clip: ForcedClip, generator: torch.Generator, seen: Seen, most_bytes: int = HELD_BYTES
) -> int:
    """Runs one clip.

    Args:
        run: The full-precision model.
        clip: With the model's own tokens.
        generator: Of the probe.
        seen: Told about every use, from the last one to the first.
        most_bytes: Of results that wait for their gradients, beside those of one stretch.

    Returns:
        Positions L of the logits.
    """
    way = _Way(run, clip, _watch(run, seen))
    with torch.enable_grad():
        stretches, logits = way.there(most_bytes)
        (logits * probe(logits, generator)).sum().backward()
        gradients = stretches.pop().gradients
        while stretches:
            stretch = stretches.pop()
            end = stretch.end if stretch.end is not None else way.along(stretch)
            found = {node: value for node, value in end.items() if node in gradients}
            if found:
                torch.autograd.backward(list(found.values()), [gradients[node] for node in found])
            gradients = stretch.gradients
            del stretch, end, found
    return len(logits)


@dataclass(slots=True, eq=False)
class _Way:
    """A clip through a model.

    Args:
        run: The model.
        clip: The clip.
        watch: Sees every step.
        held: Bytes of results since the last begin of a stretch.
    """

    run: ForcedRun
    clip: ForcedClip
    watch: Watch
    held: int = 0

    def there(self, most_bytes: int) -> tuple[list[_Stretch], Tensor]:
        """All stretches, of which the last ones hold on to at most so much, and the logits."""
        stretches: list[_Stretch] = []
        state = self.run.start(self.clip)
        for stop in self.run.cuts[1:]:
            stretch = _Stretch.of(state, stop)
            stretch.end, stretch.held = self.along(stretch), self.held
            state = ForcedState(stop[0], replace(stretch.start.state, position=stop[1], values=stretch.end))
            stretches.append(stretch)
            _let_go(stretches, most_bytes)
        last = _Stretch.of(state, None)
        return [*stretches, last], self.run.logits(self.clip, last.start, watch=self._counted)

    def along(self, stretch: _Stretch) -> Mapping[fx.Node, Any]:
        """The values at the end of a stretch."""
        self.held = 0
        assert stretch.stop is not None
        return self.run.advance(self.clip, stretch.start, stretch.stop, watch=self._counted).state.values

    def _counted(self, node: fx.Node, args: tuple[Any, ...], result: Any) -> None:
        self.watch(node, args, result)
        if isinstance(result, Tensor) and result.requires_grad and not result._is_view():
            self.held += result.nbytes


def _let_go(stretches: list[_Stretch], most_bytes: int) -> None:
    """Drops what the first stretches computed until the others hold no more than that."""
    held = sum(stretch.held for stretch in stretches if stretch.end is not None)
    for stretch in stretches:
        if held <= most_bytes:
            return
        if stretch.end is not None:
            stretch.end, held = None, held - stretch.held


def _watch(run: ForcedRun, seen: Seen) -> Watch:
    """Tells what each layer reads as soon as the gradient of its result is known."""
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

    return watch
