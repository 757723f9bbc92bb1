"""What a sensitivity metric is: which values of a layer it looks at, and the number it makes of them.

All three families of the paper read the same frozen statistics; only the observed values differ:

=========== ============ ==========================================================================================
family      role         values
=========== ============ ==========================================================================================
statistics  ``output``   the layer's output activations
gradients   ``gradient`` gradients of the log-probability of the model's own tokens with respect to the weights
distances   ``kl@8``     one a clip: how far the model's output distribution moves when this layer alone has 8 bits
=========== ============ ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from passes.observe.activation_stats import ActivationStats

Distance = Callable[[Tensor, Tensor], float]
"""Log-probabilities (L, vocabulary), float64, of the full-precision model and of another to their distance."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A number from what was observed of a layer; larger is more sensitive.

    Args:
        role: Of the observed values, see ``passes.observe.activation_stats``.
        of: Statistics of those values to the sensitivity.
    """

    role: str
    of: Callable[[ActivationStats], float]
