from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.runtime.timed_text import TimedTokens, timed_tokens, unheard_from

ZERO = 100
SETTINGS = GenerationSettings(
    decoder_start_token_id=97,
    eos_token_id=96,
    no_timestamps_token_id=99,
    prev_sot_token_id=98,
    max_length=64,
    is_multilingual=False,
)


def test_parts_lie_between_times() -> None:
    tokens = (ZERO, 1, 2, ZERO + 50, ZERO + 60, 3, ZERO + 100)
    assert timed_tokens(tokens, SETTINGS, 5.0) == [TimedTokens(0.0, 1.0, (1, 2)), TimedTokens(1.2, 2.0, (3,))]


def test_what_is_not_closed_ends_with_the_clip_and_nothing_is_beyond_it() -> None:
    assert timed_tokens((ZERO + 5, 1), SETTINGS, 3.0) == [TimedTokens(0.1, 3.0, (1,))]
    assert timed_tokens((ZERO, 1, ZERO + 500), SETTINGS, 3.0) == [TimedTokens(0.0, 3.0, (1,))]


def test_times_without_a_text_are_no_part() -> None:
    assert timed_tokens((ZERO, ZERO + 50, ZERO + 50), SETTINGS, 3.0) == []
    assert timed_tokens((), SETTINGS, 3.0) == []


def test_a_part_that_is_opened_alone_was_not_listened_to() -> None:
    assert unheard_from((ZERO, 1, ZERO + 50, ZERO + 50), SETTINGS) == 1.0
    for tokens in ((), (ZERO,), (ZERO, 1), (ZERO, 1, ZERO + 50), (ZERO, 1, ZERO + 50, ZERO + 50, 2)):
        assert unheard_from(tokens, SETTINGS) is None
