"""What the noise of the losses bounds."""

import pytest
from acceptance_noise import reliability, sentence
from acceptance_outcomes import FULL, TEST, Errors, Outcome, Variant

WORDS, RECORDINGS = 10, 40


def models(errors_of: dict[str, list[int]]) -> tuple[dict, list[Outcome]]:
    whole = Variant("tiny", FULL, "", 0)
    errors = {(whole, TEST): [Errors(f"{i}.flac", 1, WORDS, 0) for i in range(RECORDINGS)]}
    found = []
    for budget, counts in errors_of.items():
        variant = Variant("tiny", "paper-file", budget)
        errors[variant, TEST] = [Errors(f"{i}.flac", count, WORDS, 0) for i, count in enumerate(counts)]
        found.append(Outcome(variant, TEST, 4.0, 0.9, 0.1, *[0.0] * 5, 100, 0.01, 0.0, 0.02, 400, 0))
    return errors, found


def test_losses_that_every_recording_agrees_on_are_reliable() -> None:
    errors, found = models({f"{b}MB": [1 + b] * RECORDINGS for b in range(5)})
    assert reliability(errors, found) == pytest.approx(1)


def test_losses_that_single_recordings_make_are_not() -> None:
    rows = {f"{b}MB": [1 + 5 * (i == b) for i in range(RECORDINGS)] for b in range(6)}
    errors, found = models(rows)
    assert reliability(errors, found) == 0


def test_the_ceiling_is_the_root() -> None:
    assert "these by 0.49" in sentence(0.49) and "more than 0.70" in sentence(0.49)
