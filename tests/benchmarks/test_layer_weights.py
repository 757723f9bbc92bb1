"""Real bits of a scheme: every layer counts by its weights; all layers of the committed schemes are known."""

import pytest
from experiments import EXPERIMENTS
from layer_weights import read_weights, real_bits
from raw import HERE

from myqasr_fx.personalize.schemes import read_schemes


def test_layers_count_by_their_weights() -> None:
    assert real_bits({"a": 4.0, "b": 8.0}, {"a": 300, "b": 100, "unused": 7}) == 5.0


@pytest.mark.parametrize("name", ["gender", "gender-base-orders", "curve"])
def test_every_layer_of_the_committed_schemes_is_known(name: str) -> None:
    weights = read_weights()[EXPERIMENTS[name].model.rpartition("/")[2]]
    for widths in read_schemes(HERE / "results" / name / "schemes.csv").values():
        assert set(widths) <= set(weights)
