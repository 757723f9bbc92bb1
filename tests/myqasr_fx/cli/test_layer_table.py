"""The layers of a bundle on screens of several widths."""

import pytest
from rich.console import Console

from myqasr_fx.bundle.bundle import BundleManifest, LayerRecord
from myqasr_fx.cli.layer_table import layer_table, layers_told


def lines_of(layers: tuple[LayerRecord, ...], width: int) -> list[str]:
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(layer_table(layers))
    return [line.strip() for line in captured.get().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_every_layer_is_named_in_full_and_nothing_is_cut(manifest: BundleManifest, width: int) -> None:
    lines = lines_of(manifest.layers, width)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    names = [line.split()[0] for line in lines if line.startswith("model.")]
    assert names == [layer.name for layer in manifest.layers]


def test_a_wide_screen_takes_a_line_a_layer_and_a_narrow_one_two(manifest: BundleManifest) -> None:
    name = "model.encoder.layers.0.fc1"
    wide, narrow = (lines_of(manifest.layers, width) for width in (200, 80))
    (row,) = (line.split() for line in wide if line.startswith(name))
    assert row == [name, "linear", "128x64", "5/4", "group:64", "0.1", "4,700", "low-bit", "kernel"]
    place = next(index for index, line in enumerate(narrow) if line.startswith(name))
    assert narrow[place].split() == [name, "5/4", "0.1", "4,700"]
    assert narrow[place + 1] == "linear, 128x64, group:64, low-bit kernel"


def test_a_name_that_no_screen_holds_is_folded(manifest: BundleManifest) -> None:
    name = "model." + "deep." * 20 + "fc1"
    layer = LayerRecord(name, "matmul", (), None, (), None, 1.5, 0, "kept in float")
    lines = lines_of((layer,), 80)
    assert max(map(len, lines)) <= 80
    assert name in "".join(line.split()[0] for line in lines if line)
    assert lines[-2].split() == ["matmul,", "kept", "in", "float"]


def test_what_stands_in_a_table_is_explained_below_it(manifest: BundleManifest) -> None:
    console = Console(width=80, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(layers_told(manifest.layers))
    told = captured.get().splitlines()
    assert max(map(len, told)) <= 80
    words = [line.split(": ")[0] for line in told if ": " in line]
    assert words == ["sensitivity", "group:64", "low-bit kernel", "kept in float"]
