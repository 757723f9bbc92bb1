"""init: a rules file that changes nothing, and whose lines are right once they are uncommented."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.cli.app import main
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.options.rules_file import read_rules
from myqasr_fx.options.rules_template import rules_template


def code_of(call: Callable[[], object]) -> object:
    with pytest.raises(SystemExit) as stop:
        call()
    return stop.value.code


@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
def test_nothing_until_lines_are_uncommented(
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    tmp_path: Path,
    name: str,
) -> None:
    prepared, path = captured_once(make_speech_model(name)), tmp_path / "rules.toml"
    text = rules_template("a\nmodel", prepared.layers)
    path.write_text(text, encoding="utf-8")
    rules = read_rules(path)
    assert not rules.options and rules.layers == ()
    held = [layer.name for layer in prepared.layers if layer.weight is not None]
    assert [line.split()[1] for line in text.splitlines() if re.match(r"# {3}\S", line)] == held
    path.write_text(re.sub(r"(?m)^#: ", "", text), encoding="utf-8")
    config = resolve_config("40KB", rules=path)
    config.check_rules(tuple(held))  # both entries match a layer
    assert (config.min_bits, config.max_bits, config.format, config.optimize) == (3, 8, "affine", "speed")
    assert [rule.keep or rule.bits for rule in config.rules] == [6, 16]


def test_the_command_writes_it_once(
    save_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = save_model("smallest"), tmp_path / "rules.toml"
    assert not code_of(lambda: main(["init", str(model), "--out", str(out)]))
    use = f"use it: myqasr quantize {model} RECORDINGS --budget 24MB --rules {out} --out BUNDLE"
    assert capsys.readouterr().out.splitlines() == [str(out), use]
    written = out.read_text(encoding="utf-8")
    assert written.startswith("# Rules for ") and "lm_head" in written
    out.write_text("mine")
    assert code_of(lambda: main(["init", str(model), "--out", str(out)])) == 2
    assert out.read_text() == "mine"
    assert not code_of(lambda: main(["init", str(model), "--out", str(out), "--force"]))
    assert out.read_text(encoding="utf-8") == written
