"""Compiled functions, where they can be kept and where not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pytest

from passes.compiled import compiled, inlined


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


def test_with_a_signature_it_is_compiled_at_once() -> None:
    made = compiled(numba.int64(numba.int64))(double)
    assert len(made.overloads) == 1


def test_parts_are_compiled_with_what_they_are_part_of() -> None:
    part = inlined(double)

    def quadruple(value: int) -> int:
        return int(part(part(value)))

    assert numba.njit(quadruple)(21) == 84
    assert not part.overloads


def test_the_search_is_compiled_by_the_first_process_alone(tmp_path: Path) -> None:
    code = """
from passes.rounding.viterbi import compiled_search, compiled_walk
for made in (compiled_search(1), compiled_search(5), compiled_walk()):
    print(sum(made.stats.cache_hits.values()), sum(made.stats.cache_misses.values()))
"""
    for found in ("0 1", "1 0"):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.splitlines() == [found] * 3
