"""Contexts shorter than 30 s: what the encoder hears, and when a clip is heard again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myqasr_fx.errors import OptionError
from myqasr_fx.runtime.context import FRAME, LONGEST, STEP, Context, same_lengths

FEATURES = np.arange(2 * 2 * LONGEST, dtype=np.float32).reshape(1, 2, -1)


@given(samples=st.integers(1, 30 * 16_000), margin=st.integers(0, LONGEST), least=st.integers(0, LONGEST))
def test_the_audio_and_its_margin_are_heard_in_whole_steps(samples, margin, least):
    cut = Context(margin, least).cut(FEATURES, samples)
    frames = cut.shape[-1] // 2
    assert np.array_equal(cut, FEATURES[..., : 2 * frames])
    asked = max(samples / FRAME + margin, least)
    assert frames == LONGEST or (frames % STEP == 0 and asked <= frames < asked + STEP + 1)


@given(samples=st.integers(1, 30 * 16_000), margin=st.integers(0, LONGEST), silence=st.sampled_from([10, 20, 30]))
def test_where_silence_counts_steps_are_what_one_frame_stands_for(samples, margin, silence):
    frames = replace(Context.of(silence, margin), least=0).cut(FEATURES, samples).shape[-1] // 2
    asked = samples / FRAME + margin + 2 * silence
    assert frames % silence == 0
    assert frames == LONGEST or asked <= frames < asked + silence + 1


def test_without_a_margin_all_is_heard():
    assert Context().cut(FEATURES, 1) is FEATURES
    assert Context.of(None) == Context() and Context.of(None, 64) == Context(64)


@pytest.mark.parametrize("wrong", [-1, LONGEST + 1, 1.5, True, "64"])
def test_a_margin_is_a_number_of_frames(wrong):
    with pytest.raises(OptionError, match="context margin"):
        Context(wrong)


def test_inputs_of_one_length_are_together():
    inputs = [np.zeros((1, 2, frames), np.float32) for frames in (4, 6, 4)]
    assert same_lengths(inputs) == [[0, 2], [1]]
