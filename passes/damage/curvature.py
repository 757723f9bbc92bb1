"""What an error of a layer's weights costs the model, from one backward pass for all layers and without labels.

To second order, an error E of one weight moves the output distribution p of the model by the divergence

    KL = 1/2 sum_t (E x_t)^T G_t (E x_t),   G_t = J_t^T (diag p - p p^T) J_t

over the frames t that the layer reads, with J_t the derivative of the logits with respect to its output. Taken frame by
frame and row by row this is ``1/2 sum_r s_r e_r H e_r^T`` with

    s_r = sum_t g_tr^2,   H = sum_t w_t x_t x_t^T / sum_t w_t

where ``g`` is the gradient of ``v . logits`` for a random probe ``v`` with ``E[v v^T] = diag p - p p^T``. A frame
weighs half by its gradient and half by how much it differs from the frame before it, see
``passes.observe.gram_observer``.

Source: Martens and Grosse, "Optimizing Neural Networks with Kronecker-factored Approximate Curvature", ICML 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from passes.errors import QuantizationError
from passes.observe.gram_observer import frame_weights
from passes.observe.second_moment import upper_moment, whole_moment
from passes.observe.shelf import Shelf, Sum


@dataclass(frozen=True, slots=True, eq=False)
class Curvature:
    """Of one layer, seen as a matrix (N, K).

    Args:
        gram: (K, K) float32, weighted mean of x x^T; (1, 1) when only the mean square of the inputs is known.
        rows: (N,) float32, squared gradients of each output, a position of the model's output.
        lookups: (N,) float32, squared gradients of one weight of each looked-up row, a position; None without lookups.
    """

    gram: Tensor
    rows: Tensor
    lookups: Tensor | None = None

    def __post_init__(self) -> None:
        square = self.gram.ndim == 2 and self.gram.shape[0] == self.gram.shape[1]
        if not square or self.rows.ndim != 1 or (self.lookups is not None and self.lookups.shape != self.rows.shape):
            raise QuantizationError(f"curvature of shapes {tuple(self.gram.shape)} and {tuple(self.rows.shape)}")

    def objective(self) -> Tensor | None:
        """(K, K) whose product with an error of a row is what rounding should keep small; None when it is not known.

        A looked-up row enters the network as it is, so each of its weights adds as much as its gradient says.
        """
        if self.gram.shape[0] == 1:
            return None
        if self.lookups is None or not float(self.rows.sum()) > 0:
            return self.gram
        share = self.lookups.mean() / self.rows.mean()
        return self.gram + share * torch.eye(len(self.gram))


Curvatures = Mapping[str, Curvature]
"""Layer name to its curvature."""


class CurvatureSum:
    """Adds up one layer's curvature over its uses and clips.

    Args:
        shelf: Where the Gram matrix lies.
    """

    def __init__(self, shelf: Shelf | None = None) -> None:
        self._gram = Sum(shelf or Shelf())
        self._weight = 0.0
        self._rows: Tensor | None = None
        self._lookups: Tensor | None = None

    def add_product(self, inputs: Tensor, gradient: Tensor) -> None:
        """Adds a matrix product that read (…, frames, K) and whose result (…, frames, N) has this gradient."""
        weights = _frame_weights(inputs, gradient)
        scaled = (inputs * weights.sqrt().unsqueeze(-1)).reshape(-1, inputs.shape[-1])
        self._add(upper_moment(scaled), float(weights.sum()), gradient)

    def add_scale(self, inputs: Tensor, gradient: Tensor) -> None:
        """Adds a product that reads only parts of ``inputs`` for an output, of which the mean square alone is kept.

        Args:
            inputs: Of any shape.
            gradient: (…, frames, N) of its result.
        """
        frames = gradient.numel() // gradient.shape[-1]
        self._add(frames * inputs.square().mean().reshape(1, 1), frames, gradient)

    def _add(self, gram: Tensor, weight: float, gradient: Tensor) -> None:
        self._gram.add(gram)
        self._weight += weight
        squares = gradient.reshape(-1, gradient.shape[-1]).square().sum(0)
        self._rows = squares if self._rows is None else self._rows.add_(squares)

    def add_lookup(self, indices: Tensor, gradient: Tensor, rows: int) -> None:
        """Adds a lookup.

        Args:
            indices: (…) looked-up rows.
            gradient: (…, K) of what was found.
            rows: Of the table.
        """
        squares = gradient.square().mean(-1).reshape(-1)
        found = torch.zeros(rows).index_add_(0, indices.reshape(-1), squares)
        self._lookups = found if self._lookups is None else self._lookups.add_(found)

    def __bool__(self) -> bool:
        """Something was added."""
        return bool(self._gram) or self._lookups is not None

    def mean(self, positions: int, shape: tuple[int, int]) -> Curvature | None:
        """The curvature a position of ``positions``, of a layer of ``shape`` (N, K); None when nothing was added."""
        if not self:
            return None
        lookups = None if self._lookups is None else self._lookups / positions
        if self._rows is None:
            return Curvature(torch.zeros(1, 1), torch.zeros(shape[0]), lookups)
        return Curvature(whole_moment(self._gram.value()) / max(self._weight, 1e-30), self._rows / positions, lookups)


def probe(logits: Tensor, generator: torch.Generator) -> Tensor:
    """A random direction v (L, vocabulary) with ``E[v v^T] = diag p - p p^T`` at each of the positions.

    Args:
        logits: (L, vocabulary).
        generator: Of the signs.
    """
    probabilities = logits.detach().softmax(-1)
    signs = torch.randint(0, 2, logits.shape, generator=generator).to(logits.dtype).mul_(2).sub_(1)
    scaled = probabilities.sqrt().mul_(signs)
    return scaled - probabilities * scaled.sum(-1, keepdim=True)


def _frame_weights(inputs: Tensor, gradient: Tensor) -> Tensor:
    """(…, frames) with a mean of about 1."""
    energy = gradient.square().sum(-1)
    mean = energy.mean()
    own = energy / mean if float(mean) > 0 else torch.ones_like(energy)
    return (own + frame_weights(inputs)) / 2
