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
from passes.observe.second_moment import upper_moment, whole_moment
from passes.observe.shelf import Shelf, Sum

STEADY_WEIGHT = 0.2
"""Weight of a frame that does not change at all, relative to the mean frame."""

_MIN_FRAMES = 8
"""Frames below which there is no telling which of them change: the tokens of a decoder count alike."""


Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Patches:
    """How a convolution over (B, C, T) or (B, C, H, W) cuts its input into rows of C * k numbers; B may be absent.

    Sizes are those of the last two axes; a signal is an image of height 1.
    """

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    image: bool = False

    @classmethod
    def of(cls, node: fx.Node) -> Patches | None:
        """Geometry of a canonical convolution; None when its padding is no number or its channels are grouped."""
        arguments = ops.arguments(node)
        weight = tensor_of(arguments["weight"])
        sizes = [arguments[name] for name in ("stride", "padding", "dilation")]
        if weight is None or arguments["groups"] != 1 or not all(isinstance(size, (list, tuple)) for size in sizes):
            return None
        signal = weight.dim() == 3
        stride, padding, dilation = (
            (still, int(size[0])) if signal else (int(size[0]), int(size[1]))
            for size, still in zip(sizes, (1, 0, 1), strict=True)
        )
        kernel = (1, int(weight.shape[-1])) if signal else (int(weight.shape[-2]), int(weight.shape[-1]))
        return cls(kernel, stride, padding, dilation, image=not signal)

    def rows(self, values: Tensor) -> Tensor:
        """(B, frames, C * k) of (B, C, T); (B * places, C * k) of (B, C, H, W), whose places know no time."""
        if values.ndim == (3 if self.image else 2):
            values = values.unsqueeze(0)
        image = values.unsqueeze(2) if values.ndim == 3 else values
        cut = F.unfold(image, self.kernel, self.dilation, self.padding, self.stride).transpose(1, 2)
        return cut if values.ndim == 3 else cut.flatten(0, 1)


class GramObserver(nn.Module):
    """Sums weighted outer products of rows.

    Args:
        layers: Names of the layers that read the value.
        patches: How a convolution cuts it; None for a value (…, frames, K) that is read as it is.
        shelf: Where the sum lies.
    """

    _is_impure: ClassVar[bool] = True  # torch.fx keeps calls of impure modules although nothing reads their result

    def __init__(self, layers: tuple[str, ...], patches: Patches | None, shelf: Shelf | None = None) -> None:
        super().__init__()
        self.layers = layers
        self.patches = patches
        self.total = Sum(shelf or Shelf())
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
        self.total.add(upper_moment(scaled))
        self.weight += float(weights.sum())
        self.squares += float(weights.square().sum())

    def gram(self) -> Tensor | None:
        """(K, K) float32 mean; None when nothing was seen."""
        return whole_moment(self.total.value()) / self.weight if self.total else None

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
