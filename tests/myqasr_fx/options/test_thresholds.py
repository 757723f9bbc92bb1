import pytest

from myqasr_fx.errors import OptionError
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.options.thresholds import Thresholds


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_agreement": 1.01},
        {"min_agreement": -0.1},
        {"min_agreement": "0.9"},
        {"max_kl": float("nan")},
        {"max_kl": float("inf")},
        {"max_loops": 2},
        {"max_blanks": True},
        {"max_deletions": -1},
    ],
)
def test_a_bound_is_a_sensible_number(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="expected"):
        Thresholds(**wrong)


def test_insertions_may_exceed_the_words() -> None:
    assert Thresholds(max_insertions=3).max_insertions == 3


def test_bounds_are_options_of_a_run() -> None:
    config = resolve_config("1MB", min_agreement=0.5, max_kl=2.0)
    assert config.acceptance == Thresholds(min_agreement=0.5, max_kl=2.0)
    assert config.as_dict()["acceptance"]["max_kl"] == 2.0
