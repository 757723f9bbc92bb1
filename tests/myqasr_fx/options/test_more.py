"""What another run could do more of."""

import pytest

from myqasr_fx.options.more import counted_bytes, looked_longest, unused_bytes
from myqasr_fx.options.resolve import resolve_config

WEIGHTS = 100_000
FILE_BYTES = 60_000


@pytest.mark.parametrize(
    ("options", "longest"),
    [
        ({}, False),
        ({"effort": "high"}, True),
        ({"rounding": "refined"}, True),
        ({"layout": "sherpa-onnx"}, True),  # --effort high is refused
    ],
)
def test_no_effort_is_left_that_was_made_or_is_refused(options: dict[str, object], longest: bool) -> None:
    assert looked_longest(resolve_config(80_000, **options)) is longest


@pytest.mark.parametrize(
    ("budget", "options", "counted"),
    [
        (80_000, {}, 80_000),  # files that left much of it ask for more than was allowed
        (None, {"uniform_bits": 4}, FILE_BYTES),
        (45_000, {"recipe": "paper"}, 45_000),  # weights alone
        (None, {"recipe": "paper", "uniform_bits": 4}, WEIGHTS // 2),
    ],
)
def test_bytes_are_counted_as_the_budget_counts_them(
    budget: int | None, options: dict[str, object], counted: int
) -> None:
    assert counted_bytes(resolve_config(budget, **options), FILE_BYTES, budget, WEIGHTS) == counted


@pytest.mark.parametrize(
    ("budget", "options", "left"),
    [
        (80_000, {"max_bits": 4}, 20_000),
        (80_000, {"max_spread": 0}, 20_000),
        (80_000, {}, 0),
        (61_000, {"max_bits": 4}, 0),
        (80_000, {"max_bits": 4, "budget_kind": "paper"}, 0),
    ],
)
def test_bytes_that_bounds_of_the_widths_leave(budget: int, options: dict[str, object], left: int) -> None:
    assert unused_bytes(resolve_config(budget, **options), FILE_BYTES, budget) == left
