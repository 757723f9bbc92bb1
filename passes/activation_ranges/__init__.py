"""How the codes of a quantized activation cover its range: by one uniform grid, or by two."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from passes.activation_ranges.method import InputRange, RangeMethod
from passes.activation_ranges.single import SINGLE
from passes.activation_ranges.twin import TWIN

REGISTRY: Mapping[str, RangeMethod] = MappingProxyType({"single": SINGLE, "twin": TWIN})
"""Name to method; QuantizeLinear and DequantizeLinear express ``single`` alone."""

__all__ = ["REGISTRY", "InputRange", "RangeMethod"]
