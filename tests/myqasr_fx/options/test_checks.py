"""Checks of option values."""

import pytest

from myqasr_fx.errors import OptionError
from myqasr_fx.options.checks import expect, is_int, is_probability, is_share, is_width, widths


@pytest.mark.parametrize(
    ("value", "holds"), [(1, True), (0, False), (9, False), (True, False), (2.0, False), ("2", False)]
)
def test_whole_numbers(value: object, holds: bool) -> None:
    assert is_int(value, 1, 8) is holds


@pytest.mark.parametrize(("value", "holds"), [(0, True), (0.99, True), (1, False), (-0.1, False), (False, False)])
def test_shares(value: object, holds: bool) -> None:
    assert is_share(value) is holds


@pytest.mark.parametrize(("value", "holds"), [(0, True), (1, True), (1.01, False), (True, False), ("1", False)])
def test_probabilities(value: object, holds: bool) -> None:
    assert is_probability(value) is holds


@pytest.mark.parametrize("kind", ["file", "paper"])
def test_widths_are_those_that_the_words_name(kind: str) -> None:
    known = [width for width in range(34) if is_width(width, kind)]
    assert known == ([*range(1, 9), 16, 32] if kind == "file" else list(range(1, 33)))
    assert widths(kind).endswith(str(known[-1]))


def test_the_error_names_all_three() -> None:
    expect(True, "seed", 1, "at least 0")
    with pytest.raises(OptionError, match="seed -1: expected at least 0"):
        expect(False, "seed", -1, "at least 0")
