"""docs/cli.md is what the commands say of themselves."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from myqasr_fx.cli.app import COMMANDS, main
from myqasr_fx.cli.reference import reference
from myqasr_fx.options.resolve import resolve_config

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def test_the_page_is_current() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "myqasr_fx.cli.reference"], capture_output=True, encoding="utf-8", check=True
    )
    assert PAGE.read_text(encoding="utf-8") == made.stdout, "run python -m myqasr_fx.cli.reference > docs/cli.md"


def test_it_is_plain_text_of_a_fixed_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    page = reference()
    assert page == PAGE.read_text(encoding="utf-8")
    assert "\x1b" not in page
    assert max(len(line) for text in page.split("```text")[1:] for line in text.partition("```")[0].splitlines()) <= 100


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_every_option_of_the_help_is_there(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    name = command.__name__
    with pytest.raises(SystemExit):
        main([name, "--help-all" if name == "quantize" else "--help"])
    options = {word.strip("│,[]") for word in capsys.readouterr().out.split() if word.startswith("--")}
    section = reference().partition(f"\n## myqasr {name}\n")[2].partition("\n## ")[0]
    assert "--json" in options
    assert [option for option in sorted(options) if option.rstrip("/.…") not in section] == []


def test_its_rules_file_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", reference(), re.DOTALL)
    (tmp_path / "rules.toml").write_text(example, encoding="utf-8")
    config = resolve_config("24MB", rules=tmp_path / "rules.toml")
    assert (config.rounding, config.min_bits) == ("gptq", 3)
    assert [(rule.bits, rule.keep, rule.granularity, rule.rounding) for rule in config.rules] == [
        (6, None, "group:32", "rtn"),
        (None, 16, None, None),
    ]
