r"""What a model of each size takes to quantize: seconds and peak memory of the whole command, by sampling.

    python benchmarks/scale.py tiny base small --data ../shared/data/speech/manifest.jsonl --work /tmp/scale

Weights are random, of the published shapes and in float16; transcripts end after 64 tokens; clips are read speech of at
most ``--seconds``. Budgets are the README's first, in proportion. Each run is one process with an empty cache. Adds
rows to ``OUT/scale.csv`` and prints the table of all, with the exponent by which each setting grows with the weights.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from random_whisper import SIZES, write_model
from rows_file import read_rows, write_rows
from sampled_run import SampledRun, sampled_run

README_SHARE = 24 / 151.04
"""Bytes of the README's first budget a byte of its model in float32."""


@dataclass(frozen=True, slots=True)
class Row:
    """One run.

    Args:
        model: Of ``random_whisper.SIZES``.
        weights: Its numbers, shared ones once.
        clips: How many.
        speech: Seconds of them together.
        options: Of ``quantize``.
        threads: Of every operator.
        machine: Processor and cores.
        code: 0: accepted or uncertain; 3: rejected, as random weights may be.
        seconds: From start to end.
        peak_mb: Most in memory at once, pages of mapped files included, 10^6 bytes.
        own_mb: Of these, what no file holds.
        worst: Stage of the peak.
    """

    model: str
    weights: int
    clips: int
    speech: float
    options: str
    threads: int
    machine: str
    code: int
    seconds: float
    peak_mb: int
    own_mb: int
    worst: str


def main() -> None:
    options = _options()
    path = options.out / "scale.csv"
    rows: list[Row] = read_rows(Row, path)
    for name in options.models:
        rows.append(measured(name, options))
        options.out.mkdir(parents=True, exist_ok=True)
        write_rows(Row, path, rows)
    print(*table(rows), sep="\n")
    print(*exponents(rows), sep="\n")


def measured(name: str, options: argparse.Namespace) -> Row:
    """Writes the model where it is not yet, and quantizes it.

    Raises:
        SystemExit: The command failed.
    """
    folder = options.work / name
    size = folder / "weights.txt"
    if not size.exists():
        size.write_text(str(write_model(folder, name, torch.float16)), encoding="utf-8")
    weights, (clips, speech) = int(size.read_text(encoding="utf-8")), _clips(options)
    asked = options.options.split() or ["--budget", str(round(4 * weights * README_SHARE))]
    start = [sys.executable, "-m", "myqasr_fx", "quantize", folder, *clips, "--language", "en"]
    command = [*start, *asked, "--force", "--out", options.work / "bundle"]
    run = sampled_run(command, {"OMP_NUM_THREADS": str(options.threads)})
    for stage, (peak, seconds) in run.stages.items():
        print(f"{name:16} {stage:40} {peak.resident / 1e6:8.0f} {peak.own / 1e6:8.0f} MB {seconds:7.1f} s", flush=True)
    if run.code not in (0, 3):
        raise SystemExit(f"{name}: exit code {run.code}: {run.said}")
    return _row(run, (name, weights), (len(clips), speech), (" ".join(asked), options.threads))


def table(rows: Sequence[Row]) -> list[str]:
    """Lines of a Markdown table."""
    names = "model", "weights", "clips", "options", "seconds", "peak, GB", "of no file, GB", "stage of the peak"
    lines = [
        f"| {row.model} | {row.weights / 1e6:.0f} M | {row.clips}, {row.speech:.0f} s | `{row.options}` "
        f"| {row.seconds:.0f} | {row.peak_mb / 1e3:.2f} | {row.own_mb / 1e3:.2f} | {row.worst} |"
        for row in rows
    ]
    return [f"| {' | '.join(names)} |", f"{'| --- ' * len(names)}|", *lines]


def exponents(rows: Sequence[Row]) -> list[str]:
    """Slopes of seconds and peak over weights, both in logarithms, of settings with two sizes or more."""
    groups: dict[tuple[int, str], dict[str, Row]] = {}
    for row in rows:
        kind = "in proportion" if row.options.startswith("--budget") else row.options
        groups.setdefault((row.clips, kind), {})[row.model] = row
    lines = []
    for (clips, kind), found in groups.items():
        if len(found) > 1:
            logs = np.log([(row.weights, row.seconds, row.peak_mb) for row in found.values()])
            time, peak = (np.polyfit(logs[:, 0], logs[:, column], 1)[0] for column in (1, 2))
            lines.append(f"{clips} clips, {kind}, {', '.join(found)}: seconds ^ {time:.2f}, peak ^ {peak:.2f}")
    return lines


def _row(run: SampledRun, model: tuple[str, int], heard: tuple[int, float], how: tuple[str, int]) -> Row:
    worst = max(run.stages, key=lambda stage: run.stages[stage][0].resident)
    machine, peak = f"{platform.machine()}, {os.cpu_count()} cores", run.peak
    taken = (run.code, round(run.seconds, 1), round(peak.resident / 1e6), round(peak.own / 1e6), worst)
    return Row(*model, *heard, *how, machine, *taken)


def _clips(options: argparse.Namespace) -> tuple[list[Path], float]:
    """The first clips that are short enough, and their seconds."""
    lines = options.data.read_text(encoding="utf-8").split("\n")
    rows = [row for line in lines if line and (row := json.loads(line))["dataset"] == options.dataset]
    short = [row for row in rows if row["seconds"] <= options.seconds][: options.clips]
    return [options.data.parent / row["audio"] for row in short], sum(row["seconds"] for row in short)


def _size(name: str) -> str:
    if name not in SIZES:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(SIZES)}")
    return name


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=_size, help="sizes to run; none prints what is known")
    parser.add_argument("--data", type=Path, help="manifest of all sets")
    parser.add_argument("--dataset", default="librispeech_train_clean_100")
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=8.0, help="of a clip at most")
    parser.add_argument("--options", default="", help="of quantize, in one string; a budget in proportion otherwise")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("scale"), help="for models and bundles")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
