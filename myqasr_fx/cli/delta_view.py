"""What ``quantize --delta`` prints beside the summary of the bundle."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.cli.visible import shown
from myqasr_fx.delta.make import FOLDER
from myqasr_fx.delta.record import RECORD, DeltaRecord

_LABEL = 11
"""Columns of the labels in the summary of a bundle, which stands above."""


def delta_told(bundle: QuantizedBundle) -> Table:
    """Bytes of the delta beside those of the bundle, and what was gained by it."""
    folder = bundle.path / FOLDER
    record = DeltaRecord.read(folder)
    gain, size = record.gain, record.bytes + (folder / RECORD).stat().st_size
    worth = f"{gain.fitted:.4g} nats from full precision instead of {gain.base:.4g}"
    if not gain.taken:
        worth = f"the base's values stay: {gain.base:.4g} nats from full precision, fitted ones {gain.fitted:.4g}"
    share = size / bundle.manifest.model_bytes
    grid = Table.grid(padding=(0, 2))
    grid.add_column(min_width=_LABEL)
    told = f"{size:,} bytes, {share:.1%} of the bundle; {worth}, on {gain.clips} clips kept from the fit"
    grid.add_row(Text("delta", "bold"), shown(told))
    return grid
