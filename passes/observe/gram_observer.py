"""``GramObserver``: the second moment of what a layer reads, which says how much an error of each weight costs.

For inputs x (a row of K numbers) a layer's output error is ``(W - Q) x``, whose mean square is ``tr(E H E^T)`` with
``E = W - Q`` and the Gram matrix ``H = mean(x x^T)``; half its Hessian, in the words of GPTQ.

Speech models read long stretches that hardly change: padding, pauses, steady vowels. Each frame counts by how much it
differs from the frame before it::

    w_t = a + (1 - a) * d_t / mean(d),   d_t = ||x_t - x_{t-1}||,   a = 0.2

Source: Frantar et al., "GPTQ", ICLR 2023, equation 2; frame weights after DiffAQ, Interspeech 2026, here taken from the
layer's own input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from passes.graph import ops
from passes.graph.fake_values import tensor_of

STEADY_WEIGHT = 0.2
"""Weight of a frame that does not change at all, relative to the mean frame."""

_MIN_FRAMES = 8
"""Frames below which there is no telling which of them change: the tokens of a decoder count alike."""


@dataclass(frozen=True, slots=True)
class Patches:
    """How a convolution over (B, C, T) cuts its input into rows of C * ``kernel`` numbers."""

    kernel: int
    stride: int
    padding: int
    dilation: int

    @classmethod
    def of(cls, node: fx.Node) -> Patches | None:
        """Geometry of a canonical conv1d node; None when its padding is no number or its channels are grouped."""
        arguments = ops.arguments(node)
        weight = tensor_of(arguments["weight"])
        sizes = [arguments[name] for name in ("stride", "padding", "dilation")]
        numbers = [size[0] if isinstance(size, (list, tuple)) else size for size in sizes]
        if weight is None or arguments["groups"] != 1 or not all(isinstance(number, int) for number in numbers):
            return None
        return cls(int(weight.shape[-1]), *numbers)

    def rows(self, values: Tensor) -> Tensor:
        """(B, frames, C * kernel) of (B, C, T)."""
        padded = F.pad(values, (self.padding, self.padding)).unsqueeze(2)  # (B, C, 1, T)
        cut = F.unfold(padded, (1, self.kernel), dilation=(1, self.dilation), stride=(1, self.stride))
        return cut.transpose(1, 2)


class GramObserver(nn.Module):
    """Sums weighted outer products of rows.

    Args:
        layers: Names of the layers that read the value.
        patches: How a convolution cuts it; None for a value (…, frames, K) that is read as it is.
    """

    _is_impure: ClassVar[bool] = True  # torch.fx keeps calls of impure modules although nothing reads their result

    def __init__(self, layers: tuple[str, ...], patches: Patches | None) -> None:
        super().__init__()
        self.layers = layers
        self.patches = patches
        self.total: Tensor | None = None
        self.weight = 0.0
        self.squares = 0.0

    @torch.no_grad()
    def forward(self, values: Tensor) -> None:
        """Adds the rows of ``values``; an empty tensor adds nothing."""
        if not values.numel():
            return
        rows = values.float() if self.patches is None else self.patches.rows(values.float())
        weights = frame_weights(rows)
        scaled = (rows * weights.sqrt().unsqueeze(-1)).reshape(-1, rows.shape[-1])
        gram = scaled.T @ scaled
        self.total = gram if self.total is None else self.total.add_(gram)
        self.weight += float(weights.sum())
        self.squares += float(weights.square().sum())

    def gram(self) -> Tensor | None:
        """(K, K) float32 mean; None when nothing was seen."""
        return None if self.total is None else self.total / self.weight

    @property
    def frames(self) -> float:
        """How many frames of equal weight tell as much."""
        return self.weight**2 / max(self.squares, 1e-30)


def frame_weights(rows: Tensor) -> Tensor:
    """Weight (…, frames) of each row of (…, frames, K), mean about 1; all 1 for short runs."""
    if rows.ndim < 3 or rows.shape[-2] < _MIN_FRAMES:
        return rows.new_ones(rows.shape[:-1])
    change = torch.linalg.vector_norm(rows.diff(dim=-2), dim=-1)
    change = torch.cat([change.mean(-1, keepdim=True), change], -1)
    mean = change.mean(-1, keepdim=True)
    return STEADY_WEIGHT + (1 - STEADY_WEIGHT) * torch.where(mean > 0, change / mean.clamp(min=1e-30), 1.0)
