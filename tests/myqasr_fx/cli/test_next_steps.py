"""What a command ends with can be typed as it stands."""

import json
from pathlib import Path

import pytest

from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import BundleManifest, QuantizedBundle
from myqasr_fx.cli import demo_run, next_steps
from myqasr_fx.cli.app import main
from myqasr_fx.cli.demo_run import BUDGET, MODEL, DemoResult, Reading


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit):
        main(arguments)
    return capsys.readouterr().out


def last_steps(text: str) -> list[str]:
    """The steps behind the label ``next``, one a line."""
    lines = [line.rstrip() for line in text.splitlines()]
    (start,) = (index for index, line in enumerate(lines) if line.startswith("next "))
    return [line.removeprefix("next").strip() for line in lines[start:]]


@pytest.mark.parametrize(("name", "written"), [("bundle", "bundle"), ("my bundle", "'my bundle'")])
def test_quantize_ends_with_the_report_and_two_commands(
    name: str,
    written: str,
    manifest: BundleManifest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(pipeline, "quantize", lambda *_, **__: QuantizedBundle(Path(name), manifest))
    arguments = ("quantize", "whisper-tiny.en", "--audio", __file__, "--budget", "24MB", "--out", name)
    page = written.replace(name, f"{name}/report.html")
    monkeypatch.setattr(next_steps, "which", lambda _: "/somewhere/myqasr")
    steps = [f"{page} in a browser", f"myqasr transcribe {written} AUDIO", f"myqasr inspect {written}"]
    assert last_steps(output(capsys, *arguments)) == steps
    assert json.loads(output(capsys, *arguments, "--json")) == {
        "path": name,
        **json.loads(json.dumps(manifest.content())),
    }


@pytest.mark.parametrize(("given", "place"), [((), "myqasr-demo"), (("--out", "my own"), "'my own'")])
def test_demo_ends_with_the_report_and_three_commands(
    given: tuple[str, ...],
    place: str,
    manifest: BundleManifest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(out: Path, *_: object, **__: object) -> DemoResult:
        slow, loop = Reading(1_000, ("hello there",), 0, 0.5), Reading(500, ("hello " * 200,), 199, 9.0)
        readings = {"full_precision": slow, "onnxruntime_int8": slow, "one_width": loop, "quantized": slow}
        return DemoResult(("a.wav",), (Path("some where/b.wav"),), 2.0, 2, 3, readings, QuantizedBundle(out, manifest))

    monkeypatch.setattr(demo_run, "run_demo", run)
    monkeypatch.setattr(next_steps, "which", lambda _: None)
    monkeypatch.setattr("sys.argv", [".venv/bin/myqasr"])
    shown = output(capsys, "demo", *given)
    my = ".venv/bin/myqasr"
    own = f"{my} quantize {MODEL} --audio FOLDER --budget {BUDGET} --out bundle"
    page = place.replace("own", "own/report.html").replace("demo", "demo/report.html")
    there = f"{my} transcribe {place} 'some where/b.wav'"
    assert last_steps(shown) == [f"{page} in a browser", there, f"{my} inspect {place}", own]
    assert "199, in a loop" in shown and "Its own verdict on the 1 recordings" in shown
    assert max(map(len, shown.splitlines())) < 250  # a loop is not shown whole
    assert "ours" in shown and "words that differ" in shown
