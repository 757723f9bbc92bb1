r"""Runs every experiment of the paper, several at a time, each on its share of the cores.

    python benchmarks/paper/all.py --speech speech/manifest.jsonl --digits digits/manifest.jsonl \
        --digits-model w2v2-digits --quick

What one of them says is in ``results/NAME/run.log``. Writes ``results/times.csv`` (``times-quick.csv``), and goes on
where it was interrupted.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from experiments import DIGITS, EXPERIMENTS

HERE = Path(__file__).parent
LONG_FIRST = (
    "speaker-whisper",
    "language",
    "gender-base",
    "gender-base-orders",
    "language-divergence",
    "clips-whisper",
    "gender",
    "gender-matrix",
)
"""So that the last one does not run alone."""


def main() -> None:
    options = _options()
    names = [*LONG_FIRST, *(name for name in EXPERIMENTS if name not in LONG_FIRST)]
    start = time.perf_counter()
    with ThreadPoolExecutor(options.jobs) as pool:
        found = list(pool.map(lambda name: _run(name, options), names))
    total = time.perf_counter() - start
    times = HERE / "results" / ("times-quick.csv" if options.quick else "times.csv")
    with times.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("experiment", "seconds", "exit code"))
        writer.writerows((name, round(seconds), code) for name, (seconds, code) in zip(names, found, strict=True))
        writer.writerow((f"all, {options.jobs} at a time", round(total), max(code for _, code in found)))
    print(times.read_text(encoding="utf-8"))
    sys.exit(max(code for _, code in found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True, help="manifest of sentences")
    parser.add_argument("--digits", type=Path, required=True, help="manifest of connected digits")
    parser.add_argument("--digits-model", required=True, help="folder of the model that hears them")
    parser.add_argument("--quick", action="store_true", help="the short forms")
    parser.add_argument("--jobs", type=int, default=2, help="experiments at a time")
    return parser.parse_args()


def _run(name: str, options: argparse.Namespace) -> tuple[float, int]:
    """Seconds and exit code of one experiment."""
    data = ["--data", str(options.digits), "--model", options.digits_model]
    arguments = [name, *(data if name in DIGITS else ["--data", str(options.speech)])]
    log = HERE / "results" / (f"{name}-quick" if options.quick else name) / "run.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    threads = str(max(1, (os.cpu_count() or 1) // options.jobs))
    start = time.perf_counter()
    with log.open("w", encoding="utf-8") as file:
        code = subprocess.run(
            [sys.executable, str(HERE / "run.py"), *arguments, *(["--quick"] if options.quick else [])],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": threads},
        ).returncode
    seconds = time.perf_counter() - start
    print(f"{name}: {seconds:.0f} s" + (f", exit code {code}, see {log}" if code else ""), flush=True)
    return seconds, code


if __name__ == "__main__":
    main()
