"""Rounds a block of rows to trellis codes: the exact best path a column, inside GPTQ, then scales that fit the paths.

Before anything is rounded the columns get their widths: what is left of an error behind all later inputs, times the
column's own weights, says where bits save most (``passes.numbers.column_widths``).

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
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from passes.numbers.affine import QParams
from passes.numbers.column_widths import Widths, deal_widths, noise_of
from passes.numbers.scheme import TRELLIS_BITS
from passes.numbers.trellis import LAST_TABLE, MIDDLE, STATES, Levels, Tables, read_levels
from passes.numbers.trellis_codes import TrellisCodes
from passes.numbers.trellis_scales import even_out
from passes.rounding.carry import CHUNK, carry_errors, damped, falling_columns
from passes.rounding.descent import Chunk
from passes.rounding.method import Strings
from passes.rounding.rounded import Rounded
from passes.rounding.walk import Block, walked

if TYPE_CHECKING:
    from passes.rounding.path_search import PathSearch, PathWalk

Floats = npt.NDArray[np.float32]

MISSCALED = 0.75
"""Share of the objective that scales fitted to strings leave, below which strings are searched again: a third of base's
nats at 28 MB, from four layers of a hundred (docs/rounding.md)."""

AGAIN = 4
"""Turns of such strings. One leaves a tenth more nats; a whole second search before three of them leaves as many, and
1 % fewer of the best tokens."""

_APART = 8.0  # logarithm of costs that are so different that all widths are needed


@dataclass(frozen=True, slots=True, eq=False)
class TrellisRounding:
    """How rows become strings.

    Args:
        compensates: Inputs that follow make up for errors, where the Gram matrix is known.
        turns: Times that scales and paths take turns after that; with none, scales alone are fitted. Strings that are
            :data:`MISSCALED` take :data:`AGAIN` of them.
    """

    compensates: bool
    turns: int = 0

    def __call__(self, weight: Tensor, qparams: QParams, gram: Tensor | None, strings: Strings) -> Rounded:
        """The strings.

        Args:
            weight: (n, K) float32.
            qparams: For the size of groups.
            gram: (K, K) of the layer's inputs; None takes all inputs for equal and independent.
            strings: Their bits, tables and what they serve most.

        Returns:
            Levels (n, K), the qparams that they belong to, and the strings.
        """
        order = None if gram is None or not self.compensates else falling_columns(gram)
        evened = even_out(weight, qparams.group_size, None if order is None else order.errors_left())
        importance = _counted(strings.importance)
        widths = deal_widths(evened.costs(importance).double().numpy(), strings.bits)
        qparams, gains = evened.scales(torch.from_numpy(noise_of(widths))), evened.gains.reshape(-1)
        paths, weight = _Paths(widths, strings.tables, gains, _roots(importance, len(weight))), weight / gains
        scale, size = qparams.scale.t().contiguous(), qparams.group_size
        if gram is None or order is None:
            columns = weight.t().contiguous()
            for column, wanted in enumerate(columns):
                paths.choose(column, wanted, scale[column // size])
            return paths.rounded(qparams)
        # Inputs times gains are what weights over gains read: so is everything that follows.
        order = replace(order, factor=order.factor / gains[order.order])
        objective = damped(gram).to(torch.float32) * torch.outer(gains, gains)
        with _left_to(paths):
            carry_errors(weight, order, partial(paths.walk, scale=scale))
        fitted, left = _fitted(weight, paths, qparams, objective)
        turns = AGAIN if left < MISSCALED else self.turns
        if turns:
            with _left_to(paths):
                fitted = _turned(weight, paths, fitted, objective, turns)
        return replace(paths.rounded(fitted), damping=order.damping)


def _fitted(weight: Tensor, paths: _Paths, qparams: QParams, objective: Tensor) -> tuple[QParams, float]:
    """The scales that are best for the paths, group after group, and the share of the objective that they leave."""
    levels, scale, before, after = paths.levels(), qparams.scale.clone(), 0.0, 0.0
    for start in range(0, len(weight), CHUNK):
        rows = slice(start, start + CHUNK)
        chunk = Chunk(weight[rows], levels[rows], qparams.part(rows), objective)
        before += float(chunk.costs(weight[rows]) @ paths.counts[rows])
        chunk.fit()
        after += float(chunk.costs(weight[rows]) @ paths.counts[rows])
        scale[rows] = chunk.scale.t()
    return replace(qparams, scale=scale), after / before if before > 0 else 1.0


def _turned(weight: Tensor, paths: _Paths, qparams: QParams, objective: Tensor, turns: int) -> QParams:
    """The scales after so many turns of scales and paths."""
    chunk = _Chunk(weight, paths, qparams, objective)
    for _ in range(turns):
        chunk.turn(fixed=False)
    return replace(qparams, scale=chunk.scale.t().contiguous())


def no_strings(weight: Tensor, qparams: QParams, bits: int) -> Rounded:
    """Strings of zeros, which take the bytes of any other, and have columns of as many widths as any.

    Args:
        weight: (n, K).
        qparams: Of the same rows.
        bits: Of all columns together, for each output.
    """
    rows, cols = weight.shape
    widths, tables = deal_widths(np.exp(np.linspace(0, _APART, cols)), bits), dict[int, Levels]()
    for width in TRELLIS_BITS:
        tables[width] = np.full(STATES, MIDDLE, np.uint8)
        tables[width][-1] -= min(width, LAST_TABLE)  # where no window of zeros looks: a file stores equal tables once
    codes = TrellisCodes.of(np.zeros((cols, rows), np.uint16), widths, tables, np.ones(cols, np.float32))
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

    def __init__(self, widths: Widths, tables: Tables, gains: Tensor, roots: Floats) -> None:
        self.windows = np.zeros((len(gains), len(roots)), np.uint16)
        self._widths, self._tables, self._gains, self._roots = widths, tables, gains.numpy(), roots
        self.counts = torch.from_numpy(roots).square()  # (n,) what a squared error of a row costs
        self._used = {int(bits): _Width.of(int(bits), tables, len(roots)) for bits in np.unique(widths)}

    @property
    def in_halves(self) -> bool:
        """Every column is searched by two threads."""
        return any(width.search.in_halves for width in self._used.values())

    def choose(self, column: int, wanted: Tensor, scale: Tensor) -> Tensor:
        """The (n,) values of the best path to ``wanted``, (n,), with (n,) scales."""
        width = self._used[int(self._widths[column])]
        path = width.search(self._roots * wanted.numpy(), self._roots * scale.numpy(), width.levels)
        self.windows[column] = path
        return torch.from_numpy(width.levels[path]) * scale

    def walk(self, block: Block, scale: Tensor) -> Tensor:
        """A :data:`~passes.rounding.walk.Walk` with (G, n) scales."""
        size = len(self._gains) // len(scale)
        if self.in_halves:
            return walked(block, lambda at, wanted: self.choose(at, wanted, scale[at // size]))
        scales, errors = scale[torch.tensor(block.columns) // size].numpy(), torch.empty_like(block.bases)
        for start, stop in _runs(self._widths[block.columns]):
            part, width = block.part(start, stop, errors), self._used[int(self._widths[block.columns[start]])]
            found, self.windows[part.columns] = width.walk(part, scales[start:stop], self._roots, width.levels)
            errors[start:stop] = torch.from_numpy(found)
        return errors

    def rounded(self, qparams: QParams) -> Rounded:
        """What was chosen."""
        codes = TrellisCodes.of(self.windows, self._widths, self._tables, self._gains)
        return Rounded(self.levels(), qparams, trellis=codes)

    def levels(self) -> Tensor:
        """(n, K) uint8."""
        found = np.empty(self.windows.shape, np.uint8)
        for bits in self._used:
            columns = self._widths == bits
            found[columns] = read_levels(self.windows[columns], self._tables[bits])
        return torch.from_numpy(found.T.copy())


class _Width(NamedTuple):
    """What searches columns of one width, and the (4096,) levels that it chooses between."""

    search: PathSearch
    walk: PathWalk
    levels: Floats

    @classmethod
    def of(cls, bits: int, tables: Tables, rows: int) -> _Width:
        from passes.rounding.path_search import PathSearch, PathWalk  # numba takes a second to import

        return cls(PathSearch(bits, rows), PathWalk(bits, rows), tables[bits].astype(np.float32) - MIDDLE)


def _runs(widths: Widths) -> list[tuple[int, int]]:
    """Start and stop of the runs of equal widths."""
    cuts = [0, *(np.flatnonzero(np.diff(widths)) + 1).tolist(), len(widths)]
    return list(pairwise(cuts))


def _counted(importance: Tensor | None) -> Tensor | None:
    """(n,) what rows count, where they count at all."""
    return None if importance is None or not float(importance.mean()) > 0 else importance


def _roots(importance: Tensor | None, rows: int) -> Floats:
    """(n,) what errors of rows are multiplied by before they are squared."""
    if importance is None:
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
