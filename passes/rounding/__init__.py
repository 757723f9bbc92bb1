"""Rounding methods, by name: integer codes for the rows of a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passes.registry import Extensible

if TYPE_CHECKING:
    from passes.rounding.method import Rounding

REGISTRY: Extensible[Rounding] = Extensible(
    {
        "rtn": "rtn:RTN",
        "gptq": "gptq:GPTQ",
        "refined": "refine:REFINED",
    },
    group="myqasr_fx.rounding",
    kind="method:Rounding",
    package=__name__,
)
"""Method name to method."""
