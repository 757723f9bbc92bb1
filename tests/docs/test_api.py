"""docs/api.md names every public name, and its table of passes says what the passes say."""

from __future__ import annotations

import re
from pathlib import Path

import myqasr_fx
import passes
from passes.base import Pass

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_public_name_is_there() -> None:
    assert [name for name in myqasr_fx.__all__ if f"`{name}`" not in PAGE and f"`myqasr_fx.{name}`" not in PAGE] == []


def test_the_table_of_passes_is_theirs() -> None:
    told = re.findall(
        r"^\| `(\w+)` \| ([\w, ]*) \| ([\w, ]*) \| ", PAGE.replace("| |", "|  |").replace("| |", "|  |"), re.M
    )
    names = {name for name in passes.__all__ if isinstance(getattr(passes, name), type)}
    kinds = {name: getattr(passes, name) for name in names if issubclass(getattr(passes, name), Pass)}
    assert {name for name, _, _ in told} == {name for name in kinds if not name.endswith("Pass")}
    for name, needs, leaves in told:
        facts = [{word for word in text.split(", ") if word.strip()} for text in (needs, leaves)]
        assert facts == [set(kinds[name].requires), set(kinds[name].provides)], name
