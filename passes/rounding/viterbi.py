"""The exact search for a string of trellis codes: the path of least squares along the outputs of one input column.

With window ``w_j = (w_{j-1} >> k) | (symbol << (12 - k))``, the windows that may come before ``w_j`` are the ``2**k``
that share their upper ``12 - k`` bits. So what is kept of an output is the least cost of each of those ``4096 / 2**k``
classes, and which of its windows had it::

    cost_j[v] = min_d  cost_{j-1}[(v << k | d) mod classes] + (wanted_j - scale_j * level[v << k | d])**2

Outputs of a column do not meet in a layer's objective, so the path is the best there is. Costs are float32. The last
bits of each say which window it came from, so that the least of them takes one comparison of integers; every so often
the least of all classes is taken off, which keeps costs small beside what one output adds.

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

RESTED = 16
"""Outputs from one time that the least cost is taken off all to the next; last bits of such sums say nothing."""

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
        self._run = _compiled(bits)
        self._planes = (STATES >> bits, 1 << bits)
        self._costs, self._found = np.empty(STATES >> bits, np.float32), np.empty(STATES >> bits, np.int32)
        self._kept = np.empty((rows, STATES >> bits), np.uint8)

    def __call__(self, wanted: Floats, scale: Floats, levels: Floats) -> Windows:
        path = np.empty(wanted.shape, np.uint16)
        planes = levels.reshape(self._planes).T.reshape(-1)  # those that may follow one another
        self._run(wanted, scale, planes, self._costs, self._found, self._found.view(np.float32), self._kept, path)
        return path


@intrinsic
def _tagged(context: Any, cost: Any, which: Any, mask: Any) -> Any:
    """The bits of a cost, of which those in ``mask`` say which it is."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pattern = builder.bitcast(arguments[0], context.get_value_type(types.int32))
        return builder.or_(builder.and_(pattern, builder.not_(arguments[2])), arguments[1])

    return types.int32(types.float32, types.int32, types.int32), emit


@intrinsic
def _lesser(context: Any, one: Any, other: Any) -> Any:
    """Of two integers of 32 bits, which numba itself would widen."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.icmp_signed("<", *arguments), *arguments)

    return types.int32(types.int32, types.int32), emit


@intrinsic
def _untagged(context: Any, pattern: Any) -> Any:
    """The cost with these bits."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.int32), emit


# Intrinsics take no context where they are called.
_tag: Callable[..., Any] = _tagged
_least: Callable[..., Any] = _lesser
_cost: Callable[..., Any] = _untagged


@cache
def _compiled(bits: int) -> Callable[..., None]:
    """The search for one width; compiled when it is first called, and kept beside this file.

    It finds the width around it and hands it on as a constant: so loops are of known lengths, and the next process
    knows what was compiled.
    """

    # Arrays come one by one, and flat: so the compiler sees that they do not overlap, and all distances in them.
    @compiled()
    def search(wanted, scale, levels, costs, found, values, kept, path):  # type: ignore[no-untyped-def]
        costs[:] = 0.0
        for j in range(len(wanted)):
            _advance(bits, wanted[j], scale[j], levels, costs, found)
            _keep(bits, found, kept[j])
            if j % RESTED == 0:
                _rest(bits, found, values)
            _follow(bits, values, costs)
        v = np.argmin(found)
        for j in range(len(wanted) - 1, -1, -1):
            path[j] = (v << bits) | kept[j, v]
            v = path[j] & ((STATES >> bits) - 1)

    return search


@compiled(fastmath=True)
def _advance(bits, want, scale, levels, costs, found):  # type: ignore[no-untyped-def]
    """The least cost of every class behind one output, tagged with the window before it."""
    fan, part, classes = 1 << literally(bits), STATES >> 2 * bits, STATES >> bits
    mask = np.int32(fan - 1)
    for high in range(fan):
        for x in range(part):
            v = high * part + x
            gap = want - scale * levels[v]
            best = _tag(costs[x] + gap * gap, np.int32(0), mask)
            for d in range(1, fan):
                gap = want - scale * levels[d * classes + v]
                best = _least(best, _tag(costs[d * part + x] + gap * gap, np.int32(d), mask))
            found[v] = best


@compiled()
def _keep(bits, found, kept):  # type: ignore[no-untyped-def]
    """The window before each class."""
    mask = np.int32((1 << literally(bits)) - 1)
    for v in range(STATES >> bits):
        kept[v] = np.uint8(found[v] & mask)


@compiled()
def _rest(bits, found, values):  # type: ignore[no-untyped-def]
    """Takes the least cost off all."""
    classes = STATES >> literally(bits)
    least = found[0]
    for v in range(1, classes):
        least = _least(least, found[v])
    off = _cost(least)
    for v in range(classes):
        values[v] -= off


@compiled()
def _follow(bits, values, costs):  # type: ignore[no-untyped-def]
    """Puts classes that the next output chooses between side by side."""
    fan, part = 1 << literally(bits), STATES >> 2 * bits
    for x in range(part):
        for d in range(fan):
            costs[d * part + x] = values[x * fan + d]
