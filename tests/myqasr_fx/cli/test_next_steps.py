"""What a command ends with can be typed as it stands."""

import json
from pathlib import Path

import pytest

from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import BundleManifest, QuantizedBundle
from myqasr_fx.cli import demo_run
from myqasr_fx.cli.app import main
from myqasr_fx.cli.demo_run import BUDGET, MODEL, DemoResult, Reading


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit):
        main(arguments)
    return capsys.readouterr().out


@pytest.mark.parametrize(("name", "written"), [("bundle", "bundle"), ("my bundle", "'my bundle'")])
def test_quantize_ends_with_the_report_and_two_commands(
    name: str,
    written: str,
    manifest: BundleManifest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(pipeline, "quantize", lambda *_, **__: QuantizedBundle(Path(name), manifest))
    arguments = ("quantize", "tiny", "--audio", "x", "--budget", "24MB", "--out", name)
    page = written.replace(name, f"{name}/report.html")
    steps = f"open {page}; myqasr transcribe {written} AUDIO; myqasr report {written}"
    assert output(capsys, *arguments).splitlines()[-1] == f"next         {steps}"
    assert json.loads(output(capsys, *arguments, "--json")) == {
        "path": name,
        **json.loads(json.dumps(manifest.content())),
    }


def test_demo_ends_with_what_the_bundle_is_good_for_or_how_to_make_another(
    manifest: BundleManifest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading = Reading(("hello",), 1_000, 0.5)

    def run(out: Path, *_: object, **__: object) -> DemoResult:
        return DemoResult(("a.wav",), 1, reading, reading, QuantizedBundle(out, manifest))

    monkeypatch.setattr(demo_run, "run_demo", run)
    kept = "myqasr transcribe kept AUDIO; myqasr report kept; myqasr inspect kept"
    assert output(capsys, "demo", "--out", "kept").splitlines()[-1] == f"next         {kept}"
    again = f"myqasr quantize {MODEL} --audio YOUR_RECORDINGS --budget {BUDGET} --out bundle"
    assert output(capsys, "demo").splitlines()[-1] == f"next         {again}"
