"""Functions that numba compiles once and keeps, beside their file or in the user's cache folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(*signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorates a function that needs no interpreter lock.

    Args:
        signature: What it takes and gives, where it is compiled at once; else when it is first called.
        options: Others of ``numba.njit``.
    """
    options = {"nogil": True, "error_model": "numpy", **options}

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        compiler: Callable[..., Any] = numba.njit
        made: Callable[..., Any]
        try:
            made = compiler(*signature, cache=True, **options)(function)
        except RuntimeError:  # no folder can be written: compiled anew in every process
            made = compiler(*signature, **options)(function)
        return made

    return decorate


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A part of functions that are :func:`compiled`: it is compiled with each of them, and never alone.

    Compiling a handful of parts alone, and again where they are used, takes three times as long.
    """
    made: Callable[..., Any] = numba.njit(inline="always")(function)
    return made
