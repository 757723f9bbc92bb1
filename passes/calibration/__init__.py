"""Calibration methods: the range that a group of weights or an activation is quantized over."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from passes.calibration.method import Calibration
from passes.calibration.min_max import MIN_MAX

REGISTRY: Mapping[str, Calibration] = MappingProxyType({"min_max": MIN_MAX})
"""Method name to method."""
