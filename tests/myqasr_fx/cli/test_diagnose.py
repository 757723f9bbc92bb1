"""What the diagnosis looks like; ``tests/myqasr_fx/diagnose`` holds how it is made."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.bundle.measure_record import MeasureRecord
from myqasr_fx.bundle.verdict_record import AcceptanceRecord
from myqasr_fx.cli.app import main
from myqasr_fx.cli.diagnose import _view
from myqasr_fx.diagnose.record import Advice, Diagnosis, LayerDiagnosis
from myqasr_fx.models import load

LAYERS = tuple(
    LayerDiagnosis(name, "linear", 4.0, 100, 20.0, None, kl, None)
    for name, kl in (("a", 0.01), ("b", 0.02), ("c", 0.05), ("d", 0.02))
)
MEASURES = (
    MeasureRecord("agreement", 0.95, 0.89, 0.98, 0.9, "undecided"),
    MeasureRecord("kl", 0.08, 0.071, 0.12, 0.07, "fails"),
)
FOUND = Diagnosis("tiny", True, 2, 90, 0.07, 0.08, 0.95, MEASURES, LAYERS, None, (), ())


def shown(found: Diagnosis, verdict: AcceptanceRecord | None = None) -> str:
    console = Console(width=200, record=True)
    console.print(_view(found, verdict))
    return console.export_text()


def test_the_figures_are_those_of_the_verdict_or_it_says_that_they_are_not(manifest: BundleManifest) -> None:
    verdict = manifest.acceptance
    assert verdict is not None
    text = shown(FOUND, verdict)
    assert "95.00% of 90 tokens as at full precision on the 2 clips of the verdict, divergence 0.0800 nats" in text
    assert "undecided: token agreement 95.00% [89.00%, 98.00%], expected at least 90.00%" in text
    assert "fails: divergence 0.0800 nats [0.0710, 0.1200] nats, expected at most 0.07 nats" in text
    assert "the verdict says" not in text
    other = replace(FOUND, judged=False)
    says = "the verdict says rejected from 85.00% of 100 tokens, divergence 0.0300 nats; these clips"
    assert f"{says} may be others: the bundle does not name its own" in shown(other, verdict)
    assert f"{says} are not those that it judged" in shown(other, replace(verdict, judged=("00",)))


def test_the_summary_names_the_costliest_layers_and_every_column_is_explained() -> None:
    text = shown(FOUND)
    assert "costliest alone: c 50%, b 20%, d 20%" in text
    assert "divergence 0.0800 nats, 0.0700 with its weights in torch" in text
    for column in ("rounding dB", "runtime dB", "alone", "share"):
        assert f"{column}: " in text


def test_the_costliest_layers_are_shown_and_the_others_counted() -> None:
    layers = tuple(LayerDiagnosis(f"l{n}", "linear", 4.0, 100, 20.0, None, n / 100, None) for n in range(14))
    many = replace(FOUND, layers=layers)
    lines = [line.split() for line in shown(many).splitlines()]
    assert [words[0] for words in lines if len(words) == 7 and words[-1].endswith("%")] == [
        f"l{n}" for n in range(13, 3, -1)
    ]
    assert "4 layers of smaller shares are left out; --layers shows all in network order" in shown(many)
    console = Console(width=200, record=True)
    console.print(_view(many, None, all_layers=True))
    every = console.export_text()
    assert [every.index(f" l{n} ") for n in range(14)] == sorted(every.index(f" l{n} ") for n in range(14))
    assert "left out" not in every and "left out" not in shown(FOUND)


@pytest.mark.parametrize(
    ("change", "last"),
    [
        ({}, "no single layer stands out: take a larger budget"),
        ({"bundle_kl": 0.0001, "measures": ()}, "nothing needs a change"),
        ({"bundle_kl": 0.0001}, "no single layer stands out: take a larger budget"),
        ({"advice": (Advice("--keep c=8", 50, "it costs"),)}, "quantize again with --keep c=8 (+50 bytes): it costs"),
    ],
)
def test_it_ends_with_what_to_do(change: dict[str, object], last: str) -> None:
    assert shown(replace(FOUND, **change)).splitlines()[-1].strip() == last


def test_advice_for_a_delta_is_for_its_base() -> None:
    """``--delta`` takes neither ``--keep`` nor ``--budget``."""
    for change, last in (
        ({}, "no single layer stands out: take a larger budget for the base of this delta"),
        (
            {"advice": (Advice("--keep c=8", 50, "it costs"),)},
            "quantize the base of this delta again with --keep c=8 (+50 bytes): it costs",
        ),
    ):
        console = Console(width=200, record=True)
        console.print(_view(replace(FOUND, **change), None, of_delta=True))
        assert console.export_text().splitlines()[-1].strip() == last


def test_recordings_that_are_not_there_are_told_before_the_model_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(load, "load_model", lambda name, _: loaded.append(name))
    kept = Path(__file__).parents[2] / "data" / "bundle"
    with pytest.raises(SystemExit) as stop:
        main(["diagnose", str(kept), "--audio", str(tmp_path / "none")])
    out, err = capsys.readouterr()
    assert (stop.value.code, out, err) == (2, "", f"myqasr: {tmp_path / 'none'}: no such file or folder\n")
    assert loaded == []


def test_advice_says_what_it_cannot_do() -> None:
    keep = Advice("--keep c=8", 50, "it costs")
    assert "makes no verdict surer" not in shown(replace(FOUND, advice=(keep,)))
    assert "judge a bundle that keeps them wide on others" in shown(replace(FOUND, advice=(keep,)))
    inside = tuple(replace(measure, value=measure.bound) for measure in FOUND.measures)
    text = shown(replace(FOUND, advice=(Advice("--budget 2MB", 50, "more"),), measures=inside))
    assert "makes no verdict surer; more recordings do" in text and "on others" not in text


def test_a_bundle_of_a_folder_asks_for_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").touch()
    kept = Path(__file__).parents[2] / "data" / "bundle"
    with pytest.raises(SystemExit) as stop:
        main(["diagnose", str(kept), "--audio", "a.wav"])
    out, err = capsys.readouterr()
    said = f"no model to compare {kept} with (it was made from a folder called 'smallest': give --model FOLDER)"
    assert (stop.value.code, out, err) == (2, "", f"myqasr: {said}\n")
