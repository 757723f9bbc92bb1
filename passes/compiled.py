"""Functions that numba compiles once and keeps, beside their file or in the user's cache folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorates a function that needs no interpreter lock.

    Args:
        options: Others of ``numba.njit``.
    """
    options = {"nogil": True, "error_model": "numpy", **options}

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            made: Callable[..., Any] = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # no folder can be written: compiled anew in every process
            made = numba.njit(**options)(function)
        return made

    return decorate
