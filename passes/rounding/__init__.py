"""Rounding methods: integer codes for the rows of a weight.

A method takes the weights (n, K), their qparams and the Gram matrix (K, K) of the layer's inputs or None, and returns
codes (n, K) with the qparams they belong to, which it may have changed, and counts the rows where what it started from,
mostly rounding to nearest, was better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch

from passes.numbers.affine import QParams
from passes.rounding.gptq import gptq
from passes.rounding.refine import refined
from passes.rounding.rounded import Rounded
from passes.rounding.rtn import rtn

Rounding = Callable[[torch.Tensor, QParams, torch.Tensor | None], Rounded]

REGISTRY: Mapping[str, Rounding] = MappingProxyType({"rtn": rtn, "gptq": gptq, "refined": refined})
"""Method name to method."""

USES_GRAMS = frozenset({"gptq", "refined"})
"""Methods that want the Gram matrices of the layers' inputs."""
