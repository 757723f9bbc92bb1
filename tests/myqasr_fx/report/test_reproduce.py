import shlex
from pathlib import Path

import pytest

from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.cli.app import main
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.report.reproduce import command


class Stop(Exception):
    """Where the work would begin."""


@pytest.mark.parametrize(
    "options",
    [
        {"budget": "24MB"},
        {"avg_bits": 4.5, "seed": 7, "symmetric": True, "fill": False, "max_kl": 0.2, "holdout": 0.5},
        {"uniform_bits": 3, "granularity": "channel", "activations": "int8", "language": "de", "private": True},
        {"budget": "20MB", "recipe": "best", "rounding": "rtn", "sequential": False, "min_bits": 1},
        {"budget": "20MB", "budget_kind": "paper", "order": "ascending", "min_agreement": 0.8},
        {"uniform_bits": 4, "no_speech_threshold": 0.9},
        {"uniform_bits": 4, "vad_threshold": 0.05},
    ],
)
def test_the_command_resolves_to_the_same_options(
    options: dict[str, object], manifest: BundleManifest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[QuantizeConfig] = []

    def record(*_: object, config: QuantizeConfig, **__: object) -> None:
        seen.append(config)
        raise Stop

    monkeypatch.setattr(pipeline, "quantize", record)
    config = resolve_config(**options)  # type: ignore[arg-type]
    object.__setattr__(manifest, "config", config.as_dict())
    words = shlex.split(command(manifest))
    assert words[:2] == ["myqasr", "quantize"]
    with pytest.raises(SystemExit):
        main(words[1:])
    assert seen == [config]
