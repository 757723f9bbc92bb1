"""Compiled functions, where they can be kept and where not."""

from __future__ import annotations

from typing import Any

import numba
import pytest

from passes.compiled import compiled


def double(value: int) -> int:
    return 2 * value


def test_what_is_compiled_is_kept() -> None:
    made = compiled()(double)
    assert made(21) == 42
    assert made._cache.cache_path and made.targetoptions["nogil"]


def test_where_no_folder_can_be_written_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = numba.njit

    def njit(*, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function 'double': no locator available")
        return whole(**options)

    monkeypatch.setattr(numba, "njit", njit)
    assert compiled(fastmath=True)(double)(21) == 42
