"""The exact search for a string of trellis codes: the path of least squares along the outputs of one input column.

With window ``w_j = (w_{j-1} >> k) | (symbol << (12 - k))``, the windows that may come before ``w_j`` are the ``2**k``
that share their upper ``12 - k`` bits. So what is kept of an output is the least cost of each of those ``4096 / 2**k``
classes, and which of its windows had it::

    cost_j[v] = min_d  cost_{j-1}[(v << k | d) mod classes] + (wanted_j - scale_j * level[v << k | d])**2

Outputs of a column do not meet in a layer's objective, so the path is the best there is. Costs are float32. The last
bits of each say which window it came from, so that the least of them takes one comparison of integers; every so often
the least of all classes is taken off, which keeps costs small beside what one output adds.

Source: Viterbi, "Error bounds for convolutional codes", 1967; Marcellin and Fischer, "Trellis coded quantization",
1990.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import intrinsic

from passes.compiled import compiled, inlined
from passes.numbers.trellis import STATES, WINDOW

Floats = npt.NDArray[np.float32]
Windows = npt.NDArray[np.uint16]
Space = tuple[Floats, npt.NDArray[np.int32], Floats, npt.NDArray[np.uint8]]
"""Memory that a search works in."""

UNROLLED = 16
"""Choices that a compiler is left to write out one by one.

With more of them, few classes choose between the same ones: those that do are kept side by side, see ``_place``.
"""

RESTED = 16
"""Outputs from one time that the least cost is taken off all to the next; last bits of such sums say nothing."""


def level_planes(levels: Floats, bits: int) -> Floats:
    """(4096,) levels of windows, by the choice and then by the class as it is kept."""
    fan = 1 << bits
    return levels.reshape(-1, fan).T.reshape(-1) if fan <= UNROLLED else levels.reshape(fan, -1, fan).T.reshape(-1)


def search_space(bits: int, rows: int) -> Space:
    """Memory of the search of columns of n rows, any number of them one after the other."""
    costs, found = np.empty(STATES >> bits, np.float32), np.empty(STATES >> bits, np.int32)
    return costs, found, found.view(np.float32), np.empty((rows, STATES >> bits), np.uint8)


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


_F, _FF, _I = types.float32[::1], types.float32[:, ::1], types.int32[::1]
_KEPT, _PATH, _PATHS = types.uint8[:, ::1], types.uint16[::1], types.uint16[:, ::1]
_SEARCH = types.void(_F, _F, _F, _F, _I, _F, _KEPT, _PATH)
_WALK = types.void(
    types.FunctionType(_SEARCH), _FF, _FF, _F, _FF, _FF, _F, _F, _F, _F, _F, _F, _I, _F, _KEPT, _FF, _PATHS
)


@inlined
def _advance(bits, want, scale, planes, costs, found):  # type: ignore[no-untyped-def]
    """The least cost of every class behind one output, tagged with the window before it."""
    fan, part, classes = 1 << bits, STATES >> 2 * bits, STATES >> bits
    mask = np.int32(fan - 1)
    for high in range(fan):
        for x in range(part):
            v = high * part + x
            gap = want - scale * planes[v]
            best = _tag(costs[x] + gap * gap, np.int32(0), mask)
            for d in range(1, fan):
                gap = want - scale * planes[d * classes + v]
                best = _least(best, _tag(costs[d * part + x] + gap * gap, np.int32(d), mask))
            found[v] = best


@inlined
def _advance_wide(bits, want, scale, planes, costs, found):  # type: ignore[no-untyped-def]
    """The same for more choices than a compiler writes out one by one."""
    fan, part, classes = 1 << bits, STATES >> 2 * bits, STATES >> bits
    mask = np.int32(fan - 1)
    for first in range(0, fan, UNROLLED):
        for x in range(part):
            for high in range(fan):
                at = x * fan + high
                gap = want - scale * planes[first * classes + at]
                best = _tag(costs[x * fan + first] + gap * gap, np.int32(first), mask)
                for d in range(first + 1, first + UNROLLED):
                    gap = want - scale * planes[d * classes + at]
                    best = _least(best, _tag(costs[x * fan + d] + gap * gap, np.int32(d), mask))
                found[at] = best if first == 0 else _least(found[at], best)


@inlined
def _place(bits, v):  # type: ignore[no-untyped-def]
    """Where a class is kept with many choices: those with equal last bits, which have the same choices, in a row."""
    return (v & ((STATES >> 2 * bits) - 1)) << bits | v >> (WINDOW - 2 * bits)


@inlined
def _rest(bits, found, values):  # type: ignore[no-untyped-def]
    """Takes the least cost off all."""
    least = found[0]
    for v in range(1, STATES >> bits):
        least = _least(least, found[v])
    off = _cost(least)
    for v in range(STATES >> bits):
        values[v] -= off


@inlined
def _keep(bits, found, kept):  # type: ignore[no-untyped-def]
    """The window before each class."""
    mask = np.int32((1 << bits) - 1)
    for v in range(STATES >> bits):
        kept[v] = np.uint8(found[v] & mask)


@inlined
def _follow(bits, values, costs):  # type: ignore[no-untyped-def]
    """Orders classes by the last bits, which the next output chooses; classes kept otherwise come into their order."""
    fan, part = 1 << bits, STATES >> 2 * bits
    for x in range(part):
        for d in range(fan):
            costs[d * part + x] = values[x * fan + d]


@cache
def compiled_search(bits: int) -> Callable[..., None]:
    """The search for one width; compiled when it is first asked for, and kept beside this file.

    Its arguments are (n,) values, (n,) scales, what :func:`level_planes` and :func:`search_space` give, and the (n,)
    windows that it finds. It finds the width around it, as a constant: so loops are of known lengths, and the next
    process knows what was compiled.
    """
    wide = 1 << bits > UNROLLED

    # Arrays are flat, so that the compiler sees all distances in them.
    @compiled(_SEARCH, fastmath=True)
    def search(wanted, scale, planes, costs, found, values, kept, path):  # type: ignore[no-untyped-def]
        classes = STATES >> bits
        costs[:] = 0.0
        for j in range(len(wanted)):
            if wide:
                _advance_wide(bits, wanted[j], scale[j], planes, costs, found)
            else:
                _advance(bits, wanted[j], scale[j], planes, costs, found)
            _keep(bits, found, kept[j])
            if j % RESTED == 0:
                _rest(bits, found, values)
            _follow(bits, values, costs)
        best = at = 0
        for v in range(1, classes):
            place = _place(bits, v) if wide else v
            if found[place] < found[at]:
                best, at = v, place
        for j in range(len(wanted) - 1, -1, -1):
            path[j] = (best << bits) | kept[j, _place(bits, best) if wide else best]
            best = path[j] & (classes - 1)

    return search


@cache
def compiled_walk() -> Callable[..., None]:
    """The search of a block of columns, each for what those before it leave of it; see ``passes.rounding.walk``.

    Its arguments are what :func:`compiled_search` gives for a width, (B, n) bases, (B, B) shares, (B,) pivots, (B, n)
    values or none, (B, n) scales, (n,) factors of errors, the (4096,) levels of windows, the same as the search takes
    them, memory for (n,) values and (n,) scales, what :func:`search_space` gives, and the (B, n) errors and windows
    that it finds.
    """

    @compiled(_WALK)
    def walk(  # type: ignore[no-untyped-def]
        search, bases, shares, pivots, values, scales, roots, levels, planes, want, own, costs, found, sums, kept,
        errors, paths
    ):  # fmt: skip
        for i in range(len(bases)):
            error, base = errors[i], bases[i]
            for j in range(len(error)):  # an assignment of a whole row compiles a text for its errors, in seconds
                error[j] = base[j]
            for before in range(i):
                share, past = shares[i, before], errors[before]
                for j in range(len(error)):
                    error[j] -= share * past[j]
            for j in range(len(roots)):
                want[j], own[j] = roots[j] * error[j], roots[j] * scales[i, j]
            search(want, own, planes, costs, found, sums, kept, paths[i])
            for j in range(len(roots)):
                value = levels[paths[i, j]] * scales[i, j]
                if len(values):
                    error[j] = values[i, j] - value
                    values[i, j] = value
                else:
                    error[j] = (error[j] - value) / pivots[i]

    return walk
