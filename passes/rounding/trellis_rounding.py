"""Rounds a block of rows to trellis codes: the exact best path a column, inside GPTQ, then scales that fit the paths.

GPTQ goes input by input, and so does a trellis: the weights of one input, over the outputs, are one string. What GPTQ
wants of a column goes to the path search as it is, each row weighed by what its errors cost: rows share strings, and a
word that is said often takes more of them than neighbours that are not. Scales of groups by least squares follow, at no
second search. Turns are those of ``passes.rounding.refine``: such scales, then every column the path that is best with
all others as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from passes.numbers.affine import QParams
from passes.numbers.trellis import MIDDLE, STATES, TrellisCodes, lead, read_levels, symbols_of
from passes.numbers.trellis_scales import trellis_scales
from passes.rounding.carry import CHUNK, carry_errors, damped, falling_columns
from passes.rounding.descent import Chunk
from passes.rounding.method import Strings
from passes.rounding.rounded import Rounded
from passes.rounding.walk import Block, walked

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TrellisRounding:
    """How rows become strings.

    Args:
        compensates: Inputs that follow make up for errors, where the Gram matrix is known.
        turns: Times that scales and paths take turns after that; with none, scales alone are fitted.
    """

    compensates: bool
    turns: int = 0

    def __call__(self, weight: Tensor, qparams: QParams, gram: Tensor | None, strings: Strings) -> Rounded:
        """The strings.

        Args:
            weight: (n, K) float32.
            qparams: For the size of groups.
            gram: (K, K) of the layer's inputs; None takes all inputs for equal and independent.
            strings: Their width, table and what they serve most.

        Returns:
            Levels (n, K), the qparams that they belong to, and the strings.
        """
        weighed = gram.diagonal() if gram is not None and self.compensates else None
        evened = trellis_scales(weight, qparams.group_size, strings.bits, weighed)
        qparams, gains = evened.qparams, evened.gains
        paths, weight = _Paths(strings, gains, len(weight)), weight / gains
        scale, size = qparams.scale.t().contiguous(), qparams.group_size
        if gram is None or not self.compensates:
            columns = weight.t().contiguous()
            for column, wanted in enumerate(columns):
                paths.choose(column, wanted, scale[column // size])
            return paths.rounded(qparams)
        # Inputs times gains are what weights over gains read: so is everything that follows.
        order = falling_columns(gram)
        order = replace(order, factor=order.factor / gains[order.order])
        with _left_to(paths):
            carry_errors(weight, order, partial(paths.walk, scale=scale))
        objective = damped(gram).to(torch.float32) * torch.outer(gains, gains)
        if not self.turns:
            return replace(paths.rounded(_fitted(weight, paths.levels(), qparams, objective)), damping=order.damping)
        with _left_to(paths):
            chunk = _Chunk(weight, paths, qparams, objective)
            for _ in range(self.turns):
                chunk.turn(fixed=False)
        turned = paths.rounded(replace(qparams, scale=chunk.scale.t().contiguous()))
        return replace(turned, damping=order.damping)


def _fitted(weight: Tensor, levels: Tensor, qparams: QParams, objective: Tensor) -> QParams:
    """The scales that are best for levels (n, K), group after group."""
    scale = qparams.scale.clone()
    for start in range(0, len(weight), CHUNK):
        rows = slice(start, start + CHUNK)
        chunk = Chunk(weight[rows], levels[rows], qparams.part(rows), objective)
        chunk.fit()
        scale[rows] = chunk.scale.t()
    return replace(qparams, scale=scale)


def no_strings(weight: Tensor, qparams: QParams, bits: int) -> Rounded:
    """Strings of zeros, which take the bytes of any other.

    Args:
        weight: (n, K).
        qparams: Of the same rows.
        bits: 1 to 4.
    """
    rows, cols = weight.shape
    symbols, table = np.zeros((cols, rows + lead(bits)), np.uint8), np.full(STATES, MIDDLE, np.uint8)
    table[-1] -= bits  # where no window of zeros looks: a file stores equal tables once, and those of widths differ
    codes = TrellisCodes(bits, symbols, table, np.ones(cols, np.float32))
    return Rounded(torch.full((rows, cols), MIDDLE, dtype=torch.uint8), qparams, trellis=codes)


@contextmanager
def _left_to(paths: _Paths) -> Iterator[None]:
    """Leaves the cores to a search that takes several."""
    # Behind each of torch's operators its other threads wait for the next one at full speed, for milliseconds, on the
    # core that the second half of a column needs.
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if paths.in_halves else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Paths:
    """The windows of all columns so far."""

    def __init__(self, strings: Strings, gains: Tensor, rows: int) -> None:
        from passes.rounding.path_search import PathSearch, PathWalk  # numba takes a second to import

        self.windows = np.zeros((len(gains), rows), np.uint16)
        self._strings, self._gains = strings, gains.numpy()
        self._levels = strings.table.astype(np.float32) - MIDDLE
        self._search, self._walk = PathSearch(strings.bits, rows), PathWalk(strings.bits, rows)
        self._roots = _roots(strings.importance, rows)

    @property
    def in_halves(self) -> bool:
        """Every column is searched by two threads."""
        return self._search.in_halves

    def choose(self, column: int, wanted: Tensor, scale: Tensor) -> Tensor:
        """The (n,) values of the best path to ``wanted``, (n,), with (n,) scales."""
        path = self._search(self._roots * wanted.numpy(), self._roots * scale.numpy(), self._levels)
        self.windows[column] = path
        return torch.from_numpy(self._levels[path]) * scale

    def walk(self, block: Block, scale: Tensor) -> Tensor:
        """A :data:`~passes.rounding.walk.Walk` with (G, n) scales."""
        size = len(self._gains) // len(scale)
        if self.in_halves:
            return walked(block, lambda at, wanted: self.choose(at, wanted, scale[at // size]))
        scales = scale[torch.tensor(block.columns) // size].numpy()
        errors, self.windows[block.columns] = self._walk(block, scales, self._roots, self._levels)
        return torch.from_numpy(errors)

    def rounded(self, qparams: QParams) -> Rounded:
        """What was chosen."""
        bits, table = self._strings.bits, self._strings.table
        codes = TrellisCodes(bits, symbols_of(self.windows, bits), table, self._gains)
        return Rounded(self.levels(), qparams, trellis=codes)

    def levels(self) -> Tensor:
        """(n, K) uint8."""
        return torch.from_numpy(read_levels(self.windows, self._strings.table).T.copy())


def _roots(importance: Tensor | None, rows: int) -> Floats:
    """(n,) what errors of rows are multiplied by before they are squared."""
    if importance is None or not float(importance.mean()) > 0:
        return np.ones(rows, np.float32)
    roots: Floats = (importance / importance.mean()).sqrt().numpy()
    return roots


class _Chunk(Chunk):
    """All rows of a block, whose columns take paths."""

    def __init__(self, weight: Tensor, paths: _Paths, qparams: QParams, objective: Tensor) -> None:
        super().__init__(weight, paths.levels(), qparams, objective)
        self._paths = paths

    def walk(self, block: Block) -> Tensor:
        """A :data:`~passes.rounding.walk.Walk` that takes the best paths."""
        return self._paths.walk(block, self.scale)
