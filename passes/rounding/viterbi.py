"""The exact search for a string of trellis codes: the path of least squares along the outputs of one input column.

With window ``w_j = (w_{j-1} >> k) | (symbol << (12 - k))``, the windows that may come before ``w_j`` are the ``2**k``
that share their upper ``12 - k`` bits. So what is kept of an output is the least cost of each of those ``4096 / 2**k``
classes, and which of its windows had it::

    cost_j[v] = min_d  cost_{j-1}[(v << k | d) mod classes] + (wanted_j - scale_j * level[v << k | d])**2

Outputs of a column do not meet in a layer's objective, so the path is the best there is.

A tall column, of a vocabulary, is searched in two halves at once that overlap. Their best paths, whatever they start
from, have met long before the overlap ends: where they have the same window, one goes over into the other.

Source: Viterbi, "Error bounds for convolutional codes", 1967; Marcellin and Fischer, "Trellis coded quantization",
1990.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import intrinsic
from numba.misc.special import literally

from passes.compiled import compiled
from passes.numbers.trellis import STATES, check_trellis_bits

Floats = npt.NDArray[np.float32]
Windows = npt.NDArray[np.uint16]

TALL = 8192
"""Outputs from which on a column is searched in halves."""

OVERLAP = 512
"""Outputs that both halves search; paths meet within some ten windows, 120 outputs at one bit."""


class PathSearch:
    """Searches columns of one height, with memory that serves all of them.

    Args:
        bits: 1 to 4.
        rows: Outputs n.
    """

    def __init__(self, bits: int, rows: int) -> None:
        check_trellis_bits(bits)
        self._bits, self._rows = bits, rows
        middle = rows // 2
        spans = [(0, middle + OVERLAP // 2), (middle - OVERLAP // 2, rows)] if rows >= TALL else [(0, rows)]
        self._parts = [(slice(*span), _Search(bits, span[1] - span[0])) for span in spans]

    def __call__(self, wanted: Floats, scale: Floats, levels: Floats) -> Windows:
        """(n,) windows of the best path.

        Args:
            wanted: (n,) values that the column should take.
            scale: (n,) of its weights.
            levels: (4096,) of its windows.
        """
        if len(self._parts) == 1:
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
        fan, classes = 1 << bits, STATES >> bits
        self._run = _compiled(bits)
        self._planes = (classes, fan)
        self._costs = np.empty((fan, classes >> bits), np.float32)
        self._found, self._chosen = np.empty(classes, np.float32), np.empty(classes, np.int32)
        self._kept = np.empty((rows, classes), np.uint8)

    def __call__(self, wanted: Floats, scale: Floats, levels: Floats) -> Windows:
        path = np.empty(wanted.shape, np.uint16)
        planes = np.ascontiguousarray(levels.reshape(self._planes).T)  # those that may follow one another
        self._run(wanted, scale, planes, self._costs, self._found, self._chosen, self._kept, path)
        return path


@intrinsic
def _chosen(context: Any, condition: Any, yes: Any, no: Any) -> Any:
    """``yes if condition else no`` without a branch, which is what lets loops over it run on vectors."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return yes(types.boolean, yes, no), emit


_select: Callable[..., Any] = _chosen  # which takes no context where it is called


@cache
def _compiled(bits: int) -> Callable[..., None]:
    """The search for one width; compiled when it is first called, and kept beside this file.

    It finds the width around it and hands it on as a constant: so loops are of known lengths, and the next process
    knows what was compiled.
    """

    # Arrays come one by one: out of a tuple, the compiler no longer sees that they do not overlap.
    @compiled()
    def search(wanted, scale, levels, costs, found, chosen, kept, path):  # type: ignore[no-untyped-def]
        _forward(bits, wanted, scale, levels, costs, found, chosen, kept)
        v = np.argmin(found)
        for j in range(len(wanted) - 1, -1, -1):
            path[j] = (v << bits) | kept[j, v]
            v = path[j] & ((STATES >> bits) - 1)

    return search


@compiled()
def _forward(bits, wanted, scale, levels, costs, found, chosen, kept):  # type: ignore[no-untyped-def]
    """Costs and choices of all outputs, the first ones first."""
    fan, classes, part = 1 << literally(bits), STATES >> bits, STATES >> 2 * bits
    costs[:] = 0.0
    for j in range(len(wanted)):
        _advance(bits, wanted[j], scale[j], levels, costs, found, chosen)
        for v in range(classes):
            kept[j, v] = chosen[v]
        for d in range(fan):
            for x in range(part):
                costs[d, x] = found[x * fan + d]


@compiled(fastmath=True)
def _advance(bits, want, scale, levels, costs, found, chosen):  # type: ignore[no-untyped-def]
    """One output."""
    fan, part = 1 << literally(bits), STATES >> 2 * bits
    for high in range(fan):
        for x in range(part):
            v = high * part + x
            gap = want - scale * levels[0, v]
            best = costs[0, x] + gap * gap
            which = np.int32(0)
            for d in range(1, fan):
                gap = want - scale * levels[d, v]
                cost = costs[d, x] + gap * gap
                better = cost < best
                best = _select(better, cost, best)
                which = _select(better, np.int32(d), which)
            found[v] = best
            chosen[v] = which
