"""``myqasr inspect``."""

from __future__ import annotations

from rich.console import Group

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.layer_table import layers_told
from myqasr_fx.cli.transcribe import Bundle
from myqasr_fx.cli.views import bundle_data, summary


def inspect(bundle: Bundle, *, as_json: JsonFlag = False, debug: DebugFlag = False) -> Answer:
    """Show what is in a bundle: bytes, options and every layer's bits."""
    opened = QuantizedBundle.open(bundle)
    opened.check_bytes()
    return Answer(bundle_data(opened), Group(layers_told(opened.manifest.layers), summary(opened)))
