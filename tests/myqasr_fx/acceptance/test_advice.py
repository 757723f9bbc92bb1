from dataclasses import replace

import pytest

from myqasr_fx.acceptance.advice import Run, to_decide, to_mend
from myqasr_fx.bundle.measure_record import FAILS, HOLDS, OPEN, MeasureRecord

RUN = Run(hardest=False, model_bytes=20_000_000, num_weights=40_000_000, holdout=0.25, max_clips=32, enough=8)
KL = MeasureRecord("kl", 0.1, 0.08, 0.14, 0.07, FAILS)
AGREEMENT = MeasureRecord("agreement", 0.85, 0.8, 0.89, 0.9, FAILS)


def test_a_rejected_bundle_is_mended_by_effort_then_bytes_then_recordings() -> None:
    effort, size, recordings = to_mend(RUN, [KL, replace(AGREEMENT, low=0.95, high=0.99, state=HOLDS)])
    assert effort.startswith("--effort high")
    # 0.14 nats are twice the bound: half a bit of 40 million weights, 2.5 MB
    assert size.startswith("--budget 22.5MB (+2,500,000 bytes)")
    assert "rule of thumb" in size
    assert recordings.startswith("more recordings")
    assert to_mend(replace(RUN, hardest=True), [KL])[0] == size


def test_the_measure_that_needs_most_bytes_counts() -> None:
    tips = to_mend(RUN, [KL, AGREEMENT])
    assert tips[1].startswith("--budget 25MB (+5,000,000 bytes)")  # a fifth of the tokens instead of a tenth: one bit


def test_bytes_are_no_advice_where_every_weight_has_eight_bits() -> None:
    full = replace(RUN, model_bytes=40_000_000)
    assert [tip.split()[0] for tip in to_mend(full, [KL])] == ["--effort", "more"]
    strict = to_mend(RUN, [replace(KL, bound=0.0)])
    assert strict[1].startswith("--budget 40MB")


def test_next_to_no_bytes_are_no_advice() -> None:
    nearly = replace(RUN, model_bytes=39_800_000)
    assert [tip.split()[0] for tip in to_mend(nearly, [KL])] == ["--effort", "more"]


def test_inputs_in_eight_bits_come_first() -> None:
    first, *others = to_mend(replace(RUN, integer_inputs=True), [KL])
    assert first.startswith("--activations float")
    assert tuple(others) == to_mend(RUN, [KL])


def test_bytes_are_no_advice_where_none_are_chosen_or_some_are_left() -> None:
    assert [tip.split()[0] for tip in to_mend(replace(RUN, sized=False), [KL])] == ["--effort", "more"]
    _, wider, _ = to_mend(replace(RUN, unused=1_500_000), [KL])
    assert wider.startswith("a higher --max-bits or --max-spread: 1,500,000 bytes")


def test_what_a_base_has_chosen_is_not_advised() -> None:
    whole, recordings = to_mend(replace(RUN, frozen=True), [KL])
    assert whole.startswith("without --delta")
    assert recordings.startswith("more recordings")


def test_small_models_are_counted_in_kilobytes() -> None:
    small = replace(RUN, model_bytes=200_000, num_weights=400_000)
    assert to_mend(small, [KL])[1].startswith("--budget 225KB (+25,000 bytes)")


def test_loops_alone_ask_for_a_bit_more() -> None:
    assert to_mend(RUN, [replace(KL, high=0.01, low=0.0, value=0.005, state=HOLDS)])[1].startswith("--budget 25MB")


@pytest.mark.parametrize(
    ("run", "judged", "more", "words"),
    [
        (
            RUN,
            (8, 80.0, True),
            40.0,
            "about 40 s more held-out speech would decide: give 2 min 40 s of further recordings",
        ),
        (RUN, (8, 80.0, True), 40.0, "--max-clips 48"),
        (replace(RUN, max_clips=64), (8, 80.0, True), 40.0, "give 2 min 40 s of further recordings"),
        (
            RUN,
            (4, 40.0, False),
            40.0,
            "about 1 min 20 s of held-out speech would decide: give 5 min 20 s of recordings",
        ),
        (replace(RUN, holdout=0.0), (8, 80.0, False), 40.0, "--holdout 0.25"),
        (RUN, (8, 80.0, True), None, "more speech is not expected to decide"),
    ],
)
def test_an_uncertain_verdict_asks_for_speech(
    run: Run, judged: tuple[int, float, bool], more: float | None, words: str
) -> None:
    (tip,) = to_decide(run, judged, more)
    assert ("--max-clips" in tip) is (more is not None and run.max_clips < 40 and judged[0] == 8)
    assert words in tip


def test_open_measures_count_for_bytes_too() -> None:
    assert to_mend(RUN, [KL, replace(AGREEMENT, value=0.9, high=0.95, state=OPEN)])[1].startswith("--budget 25MB")
