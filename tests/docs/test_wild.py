"""docs/wild.md lists the cases from the wild, and says of recordings what holds."""

from __future__ import annotations

import re
from pathlib import Path

from myqasr_fx.audio.clip import MIN_SAMPLES, SAMPLING_RATE
from myqasr_fx.audio.decoder import MOST_SECONDS, RATES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "wild.md").read_text(encoding="utf-8")


def test_every_case_is_there_with_its_tests() -> None:
    named = set(re.findall(r"`([\w/]+/test_\w+\.py)` \|$", PAGE, re.M))
    assert [name for name in sorted(named) if not (ROOT / "tests" / name).is_file()] == []
    assert {f"wild/{path.name}" for path in (ROOT / "tests" / "wild").glob("test_*.py")} <= named


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"from {RATES[0]:,} to {RATES[1]:,} Hz" in PAGE
    assert f"From {1000 * MIN_SAMPLES // SAMPLING_RATE} ms to {MOST_SECONDS // 3600:,} hours" in PAGE
