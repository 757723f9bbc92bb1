"""Single rows of what a convolution multiplies its weight with, without unfolding all of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, fx
from torch.nn import functional as F

from passes.graph import ops


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a convolution over (B, C, T) cuts its input into rows, one an output frame."""

    kernel: int
    stride: int
    padding: int
    dilation: int
    groups: int

    def outputs(self, length: int) -> int:
        """Frames of the output of ``length`` input frames."""
        return (length + 2 * self.padding - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    def rows(self, values: Tensor, chosen: Tensor) -> list[Tensor]:
        """The rows of some output frames.

        Args:
            values: (B, C, T).
            chosen: (S,) indices into batch and output frames, frames fastest.

        Returns:
            (S, C / groups * kernel) of each group.
        """
        frames = self.outputs(values.shape[-1])
        padded = F.pad(values, (self.padding, self.padding))
        batch = torch.div(chosen, frames, rounding_mode="floor")
        taps = (chosen % frames).unsqueeze(1) * self.stride + torch.arange(self.kernel) * self.dilation  # (S, k)
        patches = padded[batch.unsqueeze(1), :, taps].transpose(1, 2)  # (S, C, k)
        return [part.reshape(len(chosen), -1) for part in patches.chunk(self.groups, dim=1)]


def geometry(node: fx.Node, shape: tuple[int, ...]) -> Geometry | None:
    """That of a conv1d node with a weight of ``shape``; None when its padding is no number."""
    arguments = ops.arguments(node)
    sizes = [arguments[name] for name in ("stride", "padding", "dilation")]
    stride, padding, dilation = (size[0] if isinstance(size, (list, tuple)) else size for size in sizes)
    if not all(isinstance(number, int) for number in (stride, padding, dilation)):
        return None
    return Geometry(shape[-1], stride, padding, dilation, arguments["groups"])
