"""The table of levels that the windows of a trellis read: Gaussian at first, then fitted to a model's own weights.

Neighbouring windows share bits, so that a table in order would make neighbouring weights alike: the quantiles of a
Gaussian are dealt out at random. A few of Lloyd's steps follow: search the paths of weights, and give every window the
mean of the weights that chose it.

Source: Lloyd, "Least squares quantization in PCM", 1982; Marcellin and Fischer, "Trellis coded quantization", 1990.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from passes.numbers.trellis import MIDDLE, STATES, UNIT, Levels

STEPS = 5
"""Times that paths and levels take turns."""

SAMPLE = 300_000
"""Weights looked at: some seventy a window."""

_HEIGHT = 512
_PRIOR = 4.0  # weights that a window's own level counts for, so that rare windows stay near it


def gaussian_table(seed: int = 0) -> Levels:
    """(4096,) levels: quantiles of a Gaussian in random order."""
    quantiles = torch.special.ndtri((torch.arange(STATES, dtype=torch.float64) + 0.5) / STATES).numpy()
    return _levels(np.random.default_rng(seed).permutation(quantiles))


def fitted_table(columns: npt.NDArray[np.float32], bits: int, steps: int = STEPS) -> Levels:
    """(4096,) levels fitted to weights.

    Args:
        columns: (m, n) of spread 1, see :func:`sample_columns`; without any the table stays Gaussian.
        bits: 1 to 4.
        steps: Of Lloyd's.
    """
    table = gaussian_table()
    if not len(columns):
        return table
    for _ in range(steps):
        paths = _paths(columns, table, bits).reshape(-1)
        total = np.bincount(paths, columns.reshape(-1), STATES)
        count = np.bincount(paths, minlength=STATES)
        before = (table.astype(np.float64) - MIDDLE) / UNIT
        table = _levels((total + _PRIOR * before) / (count + _PRIOR))
    return table


def _paths(columns: npt.NDArray[np.float32], table: Levels, bits: int) -> npt.NDArray[np.uint16]:
    """(m, n) windows of the best paths; the columns are shared out among torch's threads."""
    from passes.rounding.path_search import PathSearch  # numba takes a second to import

    height = columns.shape[1]
    scale, levels = np.full(height, 1 / UNIT, np.float32), table.astype(np.float32) - MIDDLE

    def search(part: npt.NDArray[np.float32]) -> list[npt.NDArray[np.uint16]]:
        run = PathSearch(bits, height)
        return [run(column, scale, levels) for column in part]

    threads = min(torch.get_num_threads(), len(columns))
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(search, np.array_split(columns, threads))))


def sample_columns(weights: Iterable[Tensor], group_size: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """(m, 512) weights, every group of its row and every strip brought to spread 1, drawn evenly from all weights.

    Matrices of fewer than 512 weights give none.

    Args:
        weights: (N, K) each.
        group_size: Neighbours of a row that are brought to spread 1 together, where it divides K.
        seed: Of the draw.
    """
    matrices = [weight.detach() for weight in weights if weight.numel() >= _HEIGHT]
    every = sum(weight.numel() for weight in matrices)
    generator, drawn = np.random.default_rng(seed), [np.empty((0, _HEIGHT), np.float32)]
    for weight in matrices:
        size = group_size if weight.shape[1] % group_size == 0 else weight.shape[1]
        rows = weight if len(weight) <= 4 * _HEIGHT else weight[:: len(weight) // (2 * _HEIGHT)]
        groups = rows.reshape(len(rows), -1, size)
        unit = (groups / groups.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-12)).reshape(rows.shape).t()
        flat = unit.reshape(-1)
        strips = flat[: len(flat) // _HEIGHT * _HEIGHT].reshape(-1, _HEIGHT)
        share = max(1, round(SAMPLE * weight.numel() / every / _HEIGHT))
        picked = generator.choice(len(strips), min(share, len(strips)), replace=False)
        chosen = strips[torch.from_numpy(np.sort(picked))]
        drawn.append((chosen / chosen.square().mean(1, keepdim=True).sqrt().clamp(min=1e-12)).numpy())
    return np.ascontiguousarray(np.concatenate(drawn), np.float32)


def _levels(values: npt.NDArray[np.float64]) -> Levels:
    """8-bit levels of values of spread 1."""
    return np.clip(np.round(values * UNIT) + MIDDLE, 1, 255).astype(np.uint8)
