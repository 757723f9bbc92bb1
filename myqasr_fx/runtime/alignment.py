"""When each token was spoken, from the weights of the decoder's cross-attention.

Heads that follow time look at the frames in which the next token is spoken. Their weights, brought to the same mean and
spread over the tokens and smoothed over the frames, are averaged, and the path through tokens and frames that collects
most of them, forwards only, tells where every token begins (dynamic time warping).

Source: openai/whisper, timing.py, find_alignment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

_SMOOTHED = 7
"""Frames of 20 ms that a median is taken of."""

Heads = Sequence[tuple[int, int]]
"""(layer, head)."""


def usual_heads(layers: int, heads: int) -> list[tuple[int, int]]:
    """Those taken of a model that does not tell which follow time: all of the upper half of its layers."""
    return [(layer, head) for layer in range(layers // 2, layers) for head in range(heads)]


def token_frames(weights: Mapping[int, np.ndarray], heads: Heads, first: int) -> np.ndarray:
    """The frame in which each token begins, and that in which the last one ends.

    Args:
        weights: Layer to (heads, tokens, frames) of a prompt, a text of N tokens and the end, in frames of audio only.
        heads: That follow time.
        first: Position whose weights look for the text's first token: that before it.

    Returns:
        (N + 1,), never falling.
    """
    chosen = np.stack([weights[layer][head] for layer, head in heads]).astype(np.float64)
    spread = chosen.std(axis=1, keepdims=True)
    even = (chosen - chosen.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-12)
    return _begins(_smooth(even).mean(axis=0)[first:-1])


def _smooth(weights: np.ndarray) -> np.ndarray:
    """Medians over the frames of (heads, tokens, frames)."""
    half = _SMOOTHED // 2
    if weights.shape[-1] <= half:
        return weights
    padded = np.pad(weights, ((0, 0), (0, 0), (half, half)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHED, axis=-1)
    found: np.ndarray = np.median(windows, axis=-1)
    return found


def _begins(gains: np.ndarray) -> np.ndarray:
    """The frame in which the best path through ``gains`` (rows, frames) enters each row."""
    rows, frames = gains.shape
    best = np.full((rows + 1, frames + 1), -np.inf)  # gains of the best path to a place
    best[0, 0] = 0.0
    for row in range(rows):
        # A path enters the row at one frame and stays to another: best over entries of what it had and the sum between.
        sums = np.concatenate([[0.0], np.cumsum(gains[row])])
        enters = np.maximum(best[row, :-1], best[row, 1:])
        best[row + 1, 1:] = sums[1:] + np.maximum.accumulate(enters - sums[:-1])
    return _walk_back(best)


def _walk_back(best: np.ndarray) -> np.ndarray:
    row, frame = best.shape[0] - 1, best.shape[1] - 1
    begins = np.zeros(row, np.int64)
    while row:
        begins[row - 1] = frame - 1
        both, up, left = best[row - 1, frame - 1], best[row - 1, frame], best[row, frame - 1]
        if left > max(both, up):
            frame -= 1
        else:
            row, frame = row - 1, frame - (both >= up)
    return begins
