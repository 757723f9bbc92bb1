import shlex
from dataclasses import replace
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
        {
            "avg_bits": 4.5,
            "seed": 7,
            "symmetric": True,
            "allocation": "uniformity",
            "fill": False,
            "max_kl": 0.2,
            "holdout": 0.5,
        },
        {"uniform_bits": 3, "granularity": "channel", "activations": "int8", "language": "de", "private": True},
        {"budget": "20MB", "recipe": "best", "rounding": "rtn", "sequential": False, "min_bits": 1},
        {"budget": "20MB", "budget_kind": "paper", "order": "ascending", "min_agreement": 0.8},
        {"budget": "20MB", "recipe": "paper", "budget_kind": "file"},
        {"avg_bits": 4.5, "recipe": "reference"},
        {"allocation": "linear", "min_bits": 2, "max_bits": 8},
        {"avg_bits": 11.0, "activations": "int8", "granularity": "channel", "effort": "fast"},
        {"budget": "20MB", "layout": "sherpa-onnx"},
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
    object.__setattr__(manifest, "model", "whisper-tiny.en")
    monkeypatch.chdir(tmp_path)
    Path("RECORDINGS").touch()
    words = shlex.split(command(manifest))
    assert words[:2] == ["myqasr", "quantize"]
    with pytest.raises(SystemExit):
        main(words[1:])
    assert seen == [config]


@pytest.mark.parametrize(("recipe", "said"), [("fast", "--effort fast"), ("best", "--effort high"), ("normal", "")])
def test_an_effort_is_said_as_one(recipe: str, said: str, manifest: BundleManifest) -> None:
    object.__setattr__(manifest, "config", resolve_config("24MB", recipe=recipe).as_dict())
    told = command(manifest)
    assert said in told and "--recipe" not in told and ("--effort" in told) is bool(said)


def test_rules_of_layers_stay_beside_a_common_granularity(manifest: BundleManifest, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[layers]]\nmatch = "*.fc1"\ngranularity = "group:32"\n')
    common = tmp_path / "common.toml"
    common.write_text('[options]\ngranularity = "channel"\n' + rules.read_text())
    config = resolve_config("100KB", rules=common, private=True)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    replace(manifest, config=config.as_dict()).write(bundle)
    words = shlex.split(command(BundleManifest.read(bundle)))
    assert words[4:] == ["RECORDINGS", "--budget", "100000", "--private", "--rules", "BUNDLE", "--out", "ANOTHER"]
    assert resolve_config(100_000, rules=bundle, private=True) == config
