"""The path through weights that are known."""

import numpy as np
import pytest

from myqasr_fx.runtime.alignment import _begins, token_frames, usual_heads


def plain_begins(gains: np.ndarray) -> np.ndarray:
    """The same by the textbook's three steps."""
    rows, frames = gains.shape
    best = np.full((rows + 1, frames + 1), -np.inf)
    best[0, 0] = 0
    for row in range(1, rows + 1):
        for frame in range(1, frames + 1):
            before = best[row - 1, frame - 1], best[row - 1, frame], best[row, frame - 1]
            best[row, frame] = gains[row - 1, frame - 1] + max(before)
    begins, row, frame = np.zeros(rows, int), rows, frames
    while row:
        begins[row - 1] = frame - 1
        step = int(np.argmax((best[row - 1, frame - 1], best[row - 1, frame], best[row, frame - 1])))
        row, frame = row - (step != 2), frame - (step != 1)
    return begins


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 5), (7, 40), (12, 6)])
def test_the_best_path_is_that_of_the_textbook(shape: tuple[int, int]) -> None:
    gains = np.random.default_rng(sum(shape)).normal(size=shape)
    assert _begins(gains).tolist() == plain_begins(gains).tolist()


def test_tokens_begin_where_their_heads_listen() -> None:
    begins, frames = [0, 12, 30, 55, 80], 100
    listens = np.full((2, 4, 8, frames), 0.01)  # of a layer; heads; two tokens of a prompt, five of a text, the end
    for token, (start, stop) in enumerate(zip(begins, [*begins[1:], frames], strict=True)):
        listens[:, 1, 1 + token, start:stop] = 1.0
    listens /= listens.sum(axis=-1, keepdims=True)
    listens[:, [0, 2, 3]] = np.random.default_rng(0).random((2, 3, 8, frames))
    weights = {3: listens[0], 5: listens[1]}
    found = token_frames(weights, [(3, 1), (5, 1)], 1)
    assert len(found) == 6
    assert np.abs(found[:5] - begins).max() <= 1


def test_clips_of_a_few_frames_have_times() -> None:
    assert token_frames({0: np.full((1, 4, 2), 0.5)}, [(0, 0)], 1).tolist() == sorted([0, 1])


def test_unknown_heads_are_those_of_the_upper_half() -> None:
    assert usual_heads(4, 2) == [(2, 0), (2, 1), (3, 0), (3, 1)]
    assert usual_heads(1, 1) == [(0, 0)]
