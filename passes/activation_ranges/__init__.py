"""How the codes of a quantized activation cover its range, by name: by one uniform grid, or by two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passes.registry import Extensible

if TYPE_CHECKING:
    from passes.activation_ranges.method import CoverMethod

REGISTRY: Extensible[CoverMethod] = Extensible(
    {
        "single": "single:SINGLE",
        "twin": "twin:TWIN",
    },
    group="myqasr_fx.activation_ranges",
    kind="method:CoverMethod",
    package=__name__,
)
"""Name to method; QuantizeLinear and DequantizeLinear express ``single`` alone."""
