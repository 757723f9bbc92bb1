"""Searches columns for their best paths, see ``passes.rounding.viterbi``: one by one, or by blocks.

A tall column, of a vocabulary, is searched in two halves at once that overlap. Their best paths, whatever they start
from, have met long before the overlap ends: where they have the same window, one goes over into the other. Between
searches of columns of a few hundred weights, single operators of torch take a quarter as long as the searches: these go
by blocks, compiled as one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np

from passes.numbers.trellis import check_trellis_bits
from passes.rounding.viterbi import Floats, Space, Windows, compiled_search, compiled_walk, level_planes, search_space
from passes.rounding.walk import Block

TALL = 8192
"""Outputs from which on a column is searched in halves."""

OVERLAP = 512
"""Outputs that both halves search; paths meet within some ten windows, 120 outputs at one bit."""


class PathSearch:
    """Searches columns of one height, with memory that serves all of them.

    Args:
        bits: 1 to 6.
        rows: Outputs n.
    """

    def __init__(self, bits: int, rows: int) -> None:
        check_trellis_bits(bits)
        self._bits, self._rows = bits, rows
        middle = rows // 2
        spans = [(0, middle + OVERLAP // 2), (middle - OVERLAP // 2, rows)] if rows >= TALL else [(0, rows)]
        self._parts = [(slice(*span), _Search(bits, span[1] - span[0])) for span in spans]

    @property
    def in_halves(self) -> bool:
        """Columns are so tall that two threads search them."""
        return len(self._parts) > 1

    def __call__(self, wanted: Floats, scale: Floats, levels: Floats) -> Windows:
        """(n,) windows of the best path.

        Args:
            wanted: (n,) values that the column should take.
            scale: (n,) of its weights.
            levels: (4096,) of its windows.
        """
        if not self.in_halves:
            return self._parts[0][1](wanted, scale, levels)
        (first, search), (second, other) = self._parts
        with ThreadPoolExecutor(1) as beside:
            later = beside.submit(other, wanted[second], scale[second], levels)
            begun = search(wanted[first], scale[first], levels)
        return self._joined(begun, later.result(), (wanted, scale, levels))

    def _joined(self, first: Windows, second: Windows, given: tuple[Floats, Floats, Floats]) -> Windows:
        """One path of two that overlap; searched as a whole where they never have the same window."""
        start = self._rows - len(second)
        (same,) = np.nonzero(first[start:] == second[: len(first) - start])
        if not len(same):
            return _Search(self._bits, self._rows)(*given)
        place = same[np.abs(same - OVERLAP // 2).argmin()]
        return np.concatenate([first[: start + place], second[place:]])


class _Search:
    """Searches columns of one height as a whole."""

    def __init__(self, bits: int, rows: int) -> None:
        self._run, self._bits, self._rows = compiled_search(bits), bits, rows

    @cached_property
    def _space(self) -> Space:
        return search_space(self._bits, self._rows)

    def __call__(self, wanted: Floats, scale: Floats, levels: Floats) -> Windows:
        path = np.empty(wanted.shape, np.uint16)
        self._run(wanted, scale, level_planes(levels, self._bits), *self._space, path)
        return path


class PathWalk:
    """Walks along blocks of columns of one height, with memory that serves all of them.

    Args:
        bits: 1 to 6.
        rows: Outputs n.
    """

    def __init__(self, bits: int, rows: int) -> None:
        self._run, self._search, self._bits, self._rows = compiled_walk(), compiled_search(bits), bits, rows

    @cached_property
    def _space(self) -> tuple[Floats, Floats, Space]:
        weighed = np.empty(self._rows, np.float32), np.empty(self._rows, np.float32)
        return (*weighed, search_space(self._bits, self._rows))

    def __call__(self, block: Block, scales: Floats, roots: Floats, levels: Floats) -> tuple[Floats, Windows]:
        """(B, n) errors, and (B, n) windows of the paths.

        Args:
            block: What the columns should be.
            scales: (B, n) of the weights.
            roots: (n,) what errors of rows are multiplied by before they are squared.
            levels: (4096,) of windows.
        """
        bases, shares = block.bases.numpy(), np.ascontiguousarray(block.shares)
        pivots = np.ones(len(bases), np.float32) if block.pivots is None else np.ascontiguousarray(block.pivots)
        values = bases[:0] if block.values is None else block.values.numpy()
        errors, paths = np.empty_like(bases), np.empty(bases.shape, np.uint16)
        *weighed, space = self._space
        planes = level_planes(levels, self._bits)
        self._run(
            self._search, bases, shares, pivots, values, scales, roots, levels, planes, *weighed, *space, errors, paths
        )
        return errors, paths
