"""docs/cli.md is what the commands say of themselves."""

import subprocess
import sys
from pathlib import Path

import pytest

from myqasr_fx.cli.app import COMMANDS, main
from myqasr_fx.cli.reference import reference

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
        main([name, "--help"])
    options = {word.strip("│,[]") for word in capsys.readouterr().out.split() if word.startswith("--")}
    section = reference().partition(f"\n## myqasr {name}\n")[2].partition("\n## ")[0]
    assert "--json" in options
    assert [option for option in sorted(options) if option.rstrip("/.…") not in section] == []
