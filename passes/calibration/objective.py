"""What a scale search asks of a layer's output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from passes.calibration.rows_read import LayerRows

Terms = Callable[[Tensor, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True, slots=True)
class Objective:
    """How far an output is from the full-precision one; smaller is better.

    Sums over outputs that are looked at one after the other add up before ``loss`` makes one number of them.

    Args:
        terms: ``(expected (…, B), got (C, …, B), gradient (…, B) or None)`` to (T, C, …): T sums over the last axis for
            each of C candidates.
        loss: (T, …) sums to a number each.
        uses_gradient: True when ``gradient``, of the log-probability of the model's own tokens, must be given.
        weighing: What becomes of a layer's rows, whose gradients weigh outputs, before they are searched by.
        with_bias: Outputs are compared with their bias, which drops out of differences but not of what weighs them.
        per_frame: Each frame's output is compared by itself, and the mean over frames counts.
    """

    terms: Terms
    loss: Callable[[Tensor], Tensor]
    uses_gradient: bool = False
    weighing: Callable[[LayerRows], LayerRows] | None = None
    with_bias: bool = False
    per_frame: bool = False


def only_sum(sums: Tensor) -> Tensor:
    """The loss of an objective of one sum: the sum itself."""
    return sums[0]
