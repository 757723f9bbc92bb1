from __future__ import annotations

import pytest

from myqasr_fx.errors import OptionError
from myqasr_fx.personalize.condition import Condition, conditions


def test_recipe_changes_and_budget() -> None:
    config = Condition("paper-cosine:order=shuffled,symmetric=true", "avg=3").config(seed=2)
    assert (config.recipe, config.calibration, config.order, config.symmetric) == (
        "paper-cosine",
        "cosine",
        "shuffled",
        True,
    )
    assert (config.budget.avg_bits, config.budget.kind, config.seed, config.holdout) == (3, "paper", 2, 0)
    assert config.no_speech_threshold == 1  # clips of noise are a control
    assert Condition("paper-file", "24MB").config(0).budget.bytes == 24_000_000
    assert Condition("paper", "bits=6").config(0).allocation == "uniform"
    assert Condition("paper:allocation=linear", "none").config(0).budget.given == ()


def test_choices_that_no_file_expresses_can_be_tried() -> None:
    config = Condition("paper:activation_ranges=twin,activation_bits=6", "avg=12").config(0)
    assert (config.activation_ranges, config.activation_bits) == ("twin", 6)


@pytest.mark.parametrize(
    ("recipe", "budget"),
    [
        ("papr", "avg=3"),
        ("paper:order", "avg=3"),
        ("paper:colour=3", "avg=3"),
        ("paper", "mean=3"),
        ("paper", "3"),
        ("paper", "none"),
        ("paper", "avg=nan"),
        ("paper", "avg=inf"),
        ("paper:holdout=x", "avg=3"),
        ("paper:no_speech_threshold=0.5", "avg=3"),
    ],
)
def test_what_cannot_be_read_is_refused(recipe: str, budget: str) -> None:
    with pytest.raises(OptionError):
        Condition(recipe, budget)


def test_every_recipe_at_every_budget() -> None:
    found = conditions(["paper", "paper:order=shuffled", "paper"], ["avg=3", "avg=4", "avg=3"], 6)
    assert [c.recipe for c in found] == ["paper:activation_bits=6"] * 2 + ["paper:order=shuffled,activation_bits=6"] * 2
    assert {c.config(0).activation_bits for c in found} == {6}
    with pytest.raises(OptionError, match="keeps activations in float"):
        conditions(["paper-file"], ["avg=3"], 6)
