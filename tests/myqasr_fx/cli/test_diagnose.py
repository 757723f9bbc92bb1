"""What the diagnosis looks like; ``tests/myqasr_fx/diagnose`` holds how it is made."""

from dataclasses import replace

import pytest
from rich.console import Console

from myqasr_fx.cli.diagnose import _view
from myqasr_fx.diagnose.record import Advice, Diagnosis, LayerDiagnosis

LAYERS = tuple(
    LayerDiagnosis(name, "linear", 4.0, 100, 20.0, None, kl, None)
    for name, kl in (("a", 0.01), ("b", 0.02), ("c", 0.05), ("d", 0.02))
)
FOUND = Diagnosis("tiny", 2, 90, 0.07, 0.08, 0.95, LAYERS, None, (), ())


def shown(found: Diagnosis) -> str:
    console = Console(width=160, record=True)
    console.print(_view(found))
    return console.export_text()


def test_the_summary_names_the_costliest_layers_and_every_column_is_explained() -> None:
    text = shown(FOUND)
    assert "costliest alone: c 50%, b 20%, d 20%" in text
    assert "divergence 0.0800 nats, 0.0700 with its weights in torch" in text
    for column in ("rounding dB", "runtime dB", "alone", "share"):
        assert f"{column}: " in text


@pytest.mark.parametrize(
    ("change", "last"),
    [
        ({}, "no single layer stands out: take a larger budget"),
        ({"bundle_kl": 0.0001}, "nothing needs a change"),
        ({"advice": (Advice("--keep c=8", 50, "it costs"),)}, "try --keep c=8 (+50 bytes): it costs"),
    ],
)
def test_it_ends_with_what_to_do(change: dict[str, object], last: str) -> None:
    assert shown(replace(FOUND, **change)).splitlines()[-1].strip() == last
