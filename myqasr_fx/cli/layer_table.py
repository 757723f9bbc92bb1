"""The layers of a bundle as a table, which takes two lines a layer where one is wider than the screen."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.table import Table

from myqasr_fx.bundle.bundle import LayerRecord
from myqasr_fx.cli.fitting import Fitting, with_words_below
from myqasr_fx.cli.visible import shown

_TRELLIS = "t: trellis codes"
"""Said below a table that has a width such as ``3t``."""

_WORDS = {
    "t": "trellis codes: each is read with those before it, which spaces levels unevenly",
    "group": "group:64: so many weights of a row share one scale, the step of their codes",
    "low-bit kernel": "low-bit kernel: onnxruntime multiplies by the packed codes",
    "int8 kernel": "int8 kernel: inputs are rounded to 8 bits, too, and integers multiplied",
    "folded to float at load": "folded to float at load: unpacked once, when the bundle is opened",
    "kept in float": "kept in float: no weights, as in products of attention, or left as they were",
}
"""What stands in a table, each in a line of its own where it does."""


def layer_table(layers: tuple[LayerRecord, ...]) -> Fitting:
    """One row a layer, in network order."""
    return Fitting(_wide(layers), _narrow(layers))


def layers_told(layers: tuple[LayerRecord, ...]) -> Group:
    """The table, and what its words mean."""
    marked = any(_bits(layer).endswith("t") for layer in layers)
    present = {layer.executes for layer in layers} | ({"t"} if marked else set())
    present |= {"group" for layer in layers if "group" in _scale(layer)}
    words = ["sensitivity: what layers are ranked by, for your recordings"] if layers else []
    words += [text for word, text in _WORDS.items() if word in present]
    return Group(layer_table(layers), *(shown(line, "dim") for line in ([_TRELLIS] if marked else []) + words), "")


def _wide(layers: tuple[LayerRecord, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("layer", "op", "shape"):
        table.add_column(name, no_wrap=True)
    for name in ("bits", "scale", "sensitivity", "bytes"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("executes", no_wrap=True)
    for layer in layers:
        numbers = (_bits(layer), _scale(layer), _sensitivity(layer), f"{layer.bytes:,}")
        table.add_row(*map(shown, (layer.name, layer.op, _shape(layer), *numbers, layer.executes)))
    return table


def _narrow(layers: tuple[LayerRecord, ...]) -> Table:
    """What is no number stands below the layer's name."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("layer", overflow="fold")
    for name in ("bits", "sensitivity", "bytes"):
        table.add_column(name, justify="right", no_wrap=True)
    for layer in layers:
        words = with_words_below(layer.name, (layer.op, _shape(layer), _scale(layer), layer.executes))
        table.add_row(words, *map(shown, (_bits(layer), _sensitivity(layer), f"{layer.bytes:,}")))
    return table


def _shape(layer: LayerRecord) -> str:
    return "x".join(map(str, layer.shape)) or "-"


def _scale(layer: LayerRecord) -> str:
    return ", ".join(dict.fromkeys(block.granularity or "float" for block in layer.blocks)) or "-"


def _sensitivity(layer: LayerRecord) -> str:
    return f"{layer.sensitivity:.3g}"


def _bits(layer: LayerRecord) -> str:
    """The widths of the blocks, with a t where they are trellis codes, or the mean when there are many."""
    widths = [f"{block.bits}{'t' if block.format == 'trellis' else ''}" for block in layer.blocks]
    return "-" if layer.bits is None else "/".join(widths) if len(widths) < 4 else f"{layer.bits:.2f}"
