"""What ``myqasr demo`` prints: the same recordings heard by every model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from myqasr_fx.acceptance.loops import is_loop
from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.cli.views import in_short
from myqasr_fx.cli.visible import shortened, shown, visible
from myqasr_fx.options.units import format_seconds

if TYPE_CHECKING:
    from myqasr_fx.cli.demo_run import DemoResult

_NAMES = {
    "full_precision": "full precision",
    "onnxruntime_int8": "onnxruntime's int8",
    "one_width": "one width for all",
    "quantized": "ours",
}
_LONGEST = 160
"""Letters of a text that are shown: a model in a loop says the same hundreds of times."""


def demo_view(result: DemoResult) -> RenderableType:
    """A table of bytes, words and time, and what was heard."""
    return Group(_told(result), _numbers(result), *_texts(result), *_slower(result), *_verdict(result), Text())


def _told(result: DemoResult) -> Text:
    manifest, names = result.bundle.manifest, ", ".join(map(visible, result.calibrated))
    return Text(
        f"{visible(manifest.model)}, calibrated on {names}.\n"
        f"One width for all layers is {result.bits} bits; ours are {_widths(manifest)} bits in the same bytes, "
        f"chosen for what that speech drives.\n"
        f"Heard below: {len(result.recordings)} other recordings, {format_seconds(result.audio_seconds)}, "
        f"{result.words} words."
    )


def _numbers(result: DemoResult) -> Table:
    full = result.readings["full_precision"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("on onnxruntime", no_wrap=True)
    for name in ("bytes", "words that differ", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, reading in result.readings.items():
        words = "" if reading is full else str(reading.differing)
        if reading is not full and any(is_loop(text.lower()) for text in reading.texts):
            words = f"{words}, in a loop"
        table.add_row(_NAMES[name], f"{reading.bytes:,}", words, f"{reading.seconds:.2f}")
    return table


def _texts(result: DemoResult) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for index, recording in enumerate(result.recordings):
        grid = Table.grid(padding=(0, 2))
        for name, reading in result.readings.items():
            grid.add_row(_NAMES[name], shown(shortened(reading.texts[index], _LONGEST)))
        parts += [shown(recording.name, "bold"), Padding(grid, (0, 0, 1, 2))]
    return parts


def _verdict(result: DemoResult) -> list[Text]:
    """What the bundle was told of itself."""
    judged = result.bundle.manifest.acceptance
    if judged is None:
        return []
    return [
        Text(
            f"Its own verdict on the {len(result.calibrated)} recordings that it was made for is {judged.verdict}: "
            f"{in_short(judged)}."
        )
    ]


def _slower(result: DemoResult) -> list[Text]:
    """Why the bundle takes longer than full precision, where it does."""
    ours, full = result.readings["quantized"], result.readings["full_precision"]
    if ours.seconds <= full.seconds:
        return []
    return [
        Text(
            f"Ours took {ours.seconds / full.seconds:.2f} of full precision's time here: its weights are unpacked in "
            "every product, which pays where reading them from memory takes longer. `--optimize speed` computes the "
            "layers that read whole recordings in 8-bit integers."
        )
    ]


def _widths(manifest: BundleManifest) -> str:
    widths = {block.bits for layer in manifest.layers for block in layer.blocks}
    return f"{min(widths)} to {max(widths)}"
