"""What a calibration method provides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from passes.calibration.objective import Objective
from passes.needs import NOTHING, Needs
from passes.observe.activation_stats import ActivationStats


@dataclass(frozen=True, slots=True)
class ActivationRange:
    """What the range of an activation is chosen from.

    Args:
        stats: Of all its values.
        values: (M,) some of its values; empty when the method needs none.
        bits: Width that it is quantized to.
        symmetric: Zero in the middle of the codes.
    """

    stats: ActivationStats
    values: torch.Tensor
    bits: int = 8
    symmetric: bool = False


@dataclass(frozen=True, slots=True)
class RangeMethod:
    """Two functions that choose ranges; ``passes.numbers.affine`` turns ranges into scales and zero points.

    Args:
        weight: ``(groups (N, G, g), bits, symmetric)`` to smallest and largest value of each group, (N, G) each; the
            two levels at one bit.
        activation: What is known of an activation to its smallest and largest value.
        objective: When given, multiples of these ranges are tried, and those that suit the layer's output best taken.
        input_needs: What ``activation`` needs: ``rows`` where it looks at values.
    """

    weight: Callable[[torch.Tensor, int, bool], tuple[torch.Tensor, torch.Tensor]]
    activation: Callable[[ActivationRange], tuple[float, float]]
    objective: Objective | None = None
    input_needs: Needs = NOTHING

    def needs(self, quantized_inputs: bool) -> Needs:
        """What has to be measured for it, when inputs are quantized or when weights alone are."""
        searched = NOTHING
        if self.objective is not None:
            searched = Needs(rows=True, row_gradients=self.objective.uses_gradient)
        return searched | (self.input_needs if quantized_inputs else NOTHING)
