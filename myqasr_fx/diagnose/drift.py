"""Signal-to-noise ratios of layer outputs, added up over clips."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Outputs = Mapping[str, npt.NDArray[np.float32]]
"""Layer name to the numbers that it computes for one clip."""


class Drift:
    """Energies of expected outputs and of what others differ from them by, layer by layer."""

    def __init__(self) -> None:
        self._signal: dict[str, float] = {}
        self._noise: dict[str, float] = {}

    def add(self, expected: Outputs, got: Outputs) -> None:
        """Adds one clip; layers that only one side has are left out."""
        for name in expected:
            if name in got and expected[name].shape == got[name].shape:
                self._signal[name] = self._signal.get(name, 0.0) + _energy(expected[name])
                self._noise[name] = self._noise.get(name, 0.0) + _energy(expected[name] - got[name])

    def db(self, name: str) -> float | None:
        """Ratio in dB; None for a layer that was not seen or does not differ."""
        signal, noise = self._signal.get(name, 0.0), self._noise.get(name, 0.0)
        return round(10 * math.log10(signal / noise), 2) if signal and noise else None


def _energy(values: npt.NDArray[np.float32]) -> float:
    return float(np.square(values, dtype=np.float64).sum())
