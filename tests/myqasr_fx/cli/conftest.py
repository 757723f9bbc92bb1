"""The command line in this process, and a folder with the smallest model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.cli.app import main
from myqasr_fx.models.speech_model import SpeechModel


@pytest.fixture(scope="module")
def model(make_speech_model: Callable[[str], SpeechModel], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder of the Wav2Vec2 that compiles fastest."""
    folder = tmp_path_factory.mktemp("model")
    make_speech_model("smallest").network.save_pretrained(folder)
    make_speech_model("smallest").save_configs(folder)
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Exit code, standard output and standard error of a command."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        return (int(stop.value.code or 0), *capsys.readouterr())

    return call
