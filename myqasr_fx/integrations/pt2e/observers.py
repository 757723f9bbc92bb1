"""Observers that give torchao the scales and zero points that ``passes`` computes.

torchao's codes are signed: ``-2**(bits-1) .. 2**(bits-1) - 1``, ours less ``2**(bits-1)``. It divides by a scale by
multiplying with the inverse, so a weight in the middle of two levels may round the other way.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torchao.quantization import PerTensor
from torchao.quantization.pt2e import ObserverBase
from torchao.quantization.pt2e.observer import AffineQuantizedObserverBase, MappingType

from myqasr_fx.errors import QuantizationError
from passes.calibration import REGISTRY
from passes.calibration.calibrate import weight_qparams
from passes.numbers.affine import QParams
from passes.numbers.scheme import LayerScheme
from passes.registry import lookup


def code_range(bits: int) -> tuple[int, int]:
    """Smallest and largest signed code."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


class RowsObserver(ObserverBase):
    """Scales of a weight, one a row or one in all.

    Args:
        scheme: Of the layer, in one block of rows.
        calibration: Name in ``passes.calibration``.
        settings: What torchao reads off an observer: ``dtype``, ``quant_min``, ``quant_max`` and ``qscheme``.
    """

    def __init__(self, scheme: LayerScheme, calibration: str, **settings: Any) -> None:
        super().__init__(dtype=settings["dtype"], is_dynamic=False)
        self.scheme = scheme
        self.calibration = calibration
        self.quant_min, self.quant_max = settings["quant_min"], settings["quant_max"]
        self.qscheme = settings["qscheme"]
        self.ch_axis = 0
        self.qparams: QParams | None = None

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Takes the scales of ``weight``."""
        self.qparams = _qparams(weight, self.scheme, self.calibration)
        return weight

    def calculate_qparams(self, **_: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Scales, float32, and signed zero points, (N,) each, or (1,) for the whole weight."""
        scale, zero_point = _signed(self.qparams, self.scheme)
        return scale.flatten(), zero_point.flatten()


class GroupsObserver(AffineQuantizedObserverBase):
    """Scales of a matrix, one for each group of neighbours of a row.

    Args:
        scheme: Of the layer, in one block of rows.
        calibration: Name in ``passes.calibration``.
        settings: ``dtype``, ``quant_min`` and ``quant_max``.
    """

    def __init__(self, scheme: LayerScheme, calibration: str, **settings: Any) -> None:
        bounds = {name: settings[name] for name in ("quant_min", "quant_max")}
        super().__init__(MappingType.ASYMMETRIC, settings["dtype"], PerTensor(), **bounds)
        self.scheme = scheme
        self.calibration = calibration
        self.qparams: QParams | None = None

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Takes the scales of ``weight`` (N, K)."""
        self.qparams = _qparams(weight, self.scheme, self.calibration)
        self.block_size = (1, self.qparams.group_size)
        self.original_dtype = weight.dtype
        return weight

    def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Scales, float32, and signed zero points, (N, groups) each."""
        return _signed(self.qparams, self.scheme)

    def convert(self, model: fx.GraphModule, observer_node: fx.Node) -> None:
        """Puts the operators in place of the observer, which must have seen the weight."""
        self.calculate_qparams()
        super().convert(model, observer_node)


def _qparams(weight: torch.Tensor, scheme: LayerScheme, calibration: str) -> QParams:
    (qparams,) = weight_qparams(weight, scheme, lookup(REGISTRY, calibration, "calibration"))
    assert qparams is not None
    return qparams


def _signed(qparams: QParams | None, scheme: LayerScheme) -> tuple[torch.Tensor, torch.Tensor]:
    if qparams is None:
        raise QuantizationError(f"layer {scheme.layer} was not observed", hint="run the prepared model before convert")
    return qparams.scale, qparams.zero_point - (1 << (qparams.bits - 1))
