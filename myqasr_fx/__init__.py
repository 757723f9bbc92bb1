"""Compiles speech recognition models to ONNX bundles that fit a byte budget, tuned to their user's speech.

The names below are imported when they are first used, so that ``import myqasr_fx`` costs nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from myqasr_fx.process.own_passes import check_passes

if TYPE_CHECKING:
    from myqasr_fx.api import quantize
    from myqasr_fx.bundle.bundle import QuantizedBundle
    from myqasr_fx.delta.apply import apply_delta
    from myqasr_fx.errors import MyqasrError
    from myqasr_fx.fleet.quantize_many import quantize_many
    from myqasr_fx.models.load import load_model
    from myqasr_fx.options.budget import Budget
    from myqasr_fx.options.config import QuantizeConfig
    from myqasr_fx.options.layer_rule import LayerRule
    from myqasr_fx.program.quantize_program import quantize_program
    from myqasr_fx.runtime import load_bundle as load

    __version__: str

__all__ = [
    "Budget",
    "LayerRule",
    "MyqasrError",
    "QuantizeConfig",
    "QuantizedBundle",
    "__version__",
    "apply_delta",
    "load",
    "load_model",
    "quantize",
    "quantize_many",
    "quantize_program",
]

_HOMES = {  # module, and the name there where it is another
    "Budget": "options.budget",
    "LayerRule": "options.layer_rule",
    "MyqasrError": "errors",
    "QuantizeConfig": "options.config",
    "QuantizedBundle": "bundle.bundle",
    "apply_delta": "delta.apply",
    "load": "runtime:load_bundle",
    "load_model": "models.load",
    "quantize": "api",
    "quantize_many": "fleet.quantize_many",
    "quantize_program": "program.quantize_program",
}


check_passes()

# onnxruntime's builds since 1.29 leave an identifier of the device in the home folder and report to their maker; they
# look for this when they are imported, which several of our modules do, and never again.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def __getattr__(name: str) -> Any:
    """Imports ``name`` from its module at its first use."""
    if name == "__version__":
        return import_module("importlib.metadata").version("myqasr-fx")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), attribute or name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
