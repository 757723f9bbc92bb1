"""The sentence of the rank benchmark says which predictor orders the schemes."""

from rank_schemes import Scheme, correlations


def test_a_perfect_and_a_reversed_order() -> None:
    schemes = [Scheme(i, 0.0, 100, 4.0 + i, float(i), 10.0 + i) for i in range(5)]
    assert correlations(schemes) == "5 schemes: expected damage 1.00, average bits -1.00"
