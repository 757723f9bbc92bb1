r"""How fast trellis codes are searched: weights a second of every width, and the seconds of compiling the search.

    python benchmarks/trellis_speed.py

Random columns of 1,536 outputs, one thread and two; medians of several rounds in turn. Compiling is apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np

from passes.numbers.scheme import TRELLIS_BITS
from passes.numbers.trellis import MIDDLE, UNIT
from passes.rounding.path_search import PathSearch
from passes.rounding.trellis_table import gaussian_table

ROWS = 1536


def main() -> None:
    options = _options()
    generator = np.random.default_rng(0)
    columns = generator.standard_normal((options.columns, ROWS)).astype(np.float32)
    scale, levels = np.full(ROWS, 1 / UNIT, np.float32), gaussian_table().astype(np.float32) - MIDDLE
    print("| bits | compiled in | one thread | two threads |\n| --- | --- | --- | --- |")
    for bits in sorted(TRELLIS_BITS):
        start = time.perf_counter()
        PathSearch(bits, ROWS)(columns[0], scale, levels)
        compiled = time.perf_counter() - start
        rates: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(options.rounds):
            for threads in rates:
                rates[threads].append(columns.size / _seconds(columns, scale, levels, bits, threads) / 1e6)
        one, two = (f"{median(found):.2f} M weights/s" for found in rates.values())
        print(f"| {bits} | {compiled:.1f} s | {one} | {two} |", flush=True)


def _seconds(columns: np.ndarray, scale: np.ndarray, levels: np.ndarray, bits: int, threads: int) -> float:
    def search(part: np.ndarray) -> None:
        run = PathSearch(bits, ROWS)
        for column in part:
            run(column, scale, levels)

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(search, np.array_split(columns, threads)))
    return time.perf_counter() - start


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=400, help="columns a round")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
