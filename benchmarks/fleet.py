r"""What users of one model take together: seconds a user by the number of workers, and with workers that are killed.

    python benchmarks/fleet.py ../shared/models/w2v2-digits --data ../shared/data/digits/manifest.jsonl --budget 1MB \
        --users 20 --workers 1 2 --kill 0 3

A user is a speaker with a draw of the calibration recordings. Each run is one ``myqasr fleet`` without a cache, each
worker has one thread;
``--kill 3`` kills three of its busy workers with SIGKILL, spread over the run. Adds rows to ``OUT/fleet.csv`` and
prints the table of all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from rows_file import read_rows, write_rows

from myqasr_fx.fleet.ledger import LEDGER

_LOOK = 0.1  # seconds between looks


@dataclass(frozen=True, slots=True)
class Row:
    """One run.

    Args:
        model: Name of its folder.
        budget: Of each bundle.
        users: How many.
        clips: Recordings of each.
        workers: Processes.
        killed: Workers that were killed.
        machine: Processor and cores.
        made: Users with a bundle.
        seconds: Of the command.
        begun: Seconds until the first bundle.
        each: Seconds of the run a user, from the first bundle of every worker to the end.
        median: Seconds of a worker a user.
        slowest: The most of these.
        bytes: Of a bundle's model files, mean.
        stored: Of a bundle's folder, mean.
        recordings: Bytes of a user's recordings, mean.
        cpu: Seconds of a core that all workers took together a user, their beginning among them.
    """

    model: str
    budget: str
    users: int
    clips: int
    workers: int
    killed: int
    machine: str
    made: int
    seconds: float
    begun: float
    each: float
    median: float
    slowest: float
    bytes: int
    stored: int
    recordings: int
    cpu: float


def main() -> None:
    options = _options()
    path = options.out / "fleet.csv"
    rows: list[Row] = read_rows(Row, path)
    for workers, kills in product(options.workers, options.kill):
        rows.append(measured(options, workers, kills))
        options.out.mkdir(parents=True, exist_ok=True)
        write_rows(Row, path, rows)
    print(*table(rows), sep="\n")


def measured(options: argparse.Namespace, workers: int, kills: int) -> Row:
    """One run of the command.

    Raises:
        SystemExit: It failed.
    """
    out = options.work / "out"
    shutil.rmtree(out, ignore_errors=True)
    options.work.mkdir(parents=True, exist_ok=True)
    manifest = options.work / "users.jsonl"
    manifest.write_text("".join(users(options.data, options.dataset, options.users, options.clips)), encoding="utf-8")
    command = [sys.executable, "-m", "myqasr_fx", "fleet", options.model, "--users", manifest, "--out", out]
    start = time.perf_counter()
    with (options.work / "said.txt").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [*command, "--budget", options.budget, "--workers", str(workers)],
            stdout=said,
            stderr=said,
            env={**os.environ, "OMP_NUM_THREADS": str(workers), "RAY_worker_niceness": "0"},  # one thread a worker
        )
        times, killed, cpu = watched(process, out / LEDGER, options.users, kills)
    seconds = time.perf_counter() - start
    if process.returncode not in (0, 3):
        raise SystemExit(f"exit code {process.returncode}: {(options.work / 'said.txt').read_text()[-400:]}")
    lines = (out / LEDGER).read_text(encoding="utf-8").splitlines()[1:]
    made = [row for row in map(json.loads, lines) if row["error"] is None]
    took = sorted(row["seconds"] for row in made)
    begun, warm = times[0] - start, min(workers, len(times) - 1)
    each = (times[-1] - times[warm - 1]) / max(1, len(times) - warm)
    sizes = [round(sum(found) / len(made)) for found in _sizes(out, manifest, made)]
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    asked = (Path(options.model).name, options.budget, options.users, options.clips, workers, killed)
    figures = (round(value, 2) for value in (seconds, begun, each, statistics.median(took), took[-1]))
    return Row(*asked, machine, len(made), *figures, *sizes, round(cpu / len(made), 2))


def _sizes(out: Path, manifest: Path, made: Sequence[dict[str, Any]]) -> Iterator[list[int]]:
    """Bytes of each user's model files, bundle and recordings."""
    yield [row["bytes"] for row in made]
    yield [sum(path.stat().st_size for path in (out / row["user"]).rglob("*") if path.is_file()) for row in made]
    lines = map(json.loads, manifest.read_text(encoding="utf-8").splitlines())
    names = {row["user"] for row in made}
    yield [Path(line["audio"]).stat().st_size for line in lines if line["user"] in names]


def users(manifest: Path, dataset: str, count: int, clips: int) -> Iterator[str]:
    """Lines of a manifest: speakers in turn, each time with another draw of their calibration recordings."""
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    spoken: dict[str, list[str]] = {}
    for row in rows:
        if row["dataset"] == dataset and row.get("split", "calib") == "calib":
            spoken.setdefault(row["speaker"], []).append(str((manifest.parent / row["audio"]).resolve()))
    speakers = sorted(spoken)
    for index in range(count):
        speaker = speakers[index % len(speakers)]
        for audio in random.Random(index).sample(sorted(spoken[speaker]), clips):
            yield json.dumps({"user": f"{speaker}-{index:04d}", "audio": audio}) + "\n"


def watched(process: subprocess.Popen[bytes], ledger: Path, count: int, kills: int) -> tuple[list[float], int, float]:
    """When each row came, by ``time.perf_counter``, how many workers were killed, and seconds of a core of all."""
    times, killed, cpu = list[float](), 0, dict[int, float]()
    due = [round(count * (index + 1) / (kills + 1)) for index in range(kills)]
    while True:
        ended = process.poll() is not None
        text = ledger.read_bytes() if ledger.exists() else b"\n"
        times += [time.perf_counter()] * (text.count(b"\n") - 1 - len(times))
        busy = dict(busy_workers())
        cpu.update(busy)
        if ended:
            return times, killed, sum(cpu.values())
        if busy and killed < kills and len(times) >= due[killed]:
            os.kill(next(iter(busy)), signal.SIGKILL)
            killed += 1
        time.sleep(_LOOK)


def busy_workers() -> Iterator[tuple[int, float]]:
    """Processes of Ray that do a task of a fleet, and their seconds of a core."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if place.read_bytes().startswith(b"ray::Worker.do"):
                fields = (place.parent / "stat").read_text().rpartition(")")[2].split()
                yield int(place.parent.name), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            continue


def table(rows: Sequence[Row]) -> list[str]:
    """Lines of a Markdown table."""
    names = (
        *("model", "users", "workers", "killed", "bundles", "seconds", "to the first", "a user"),
        *("of a worker", "slowest", "of a core"),
    )
    lines = [
        f"| {row.model} | {row.users} | {row.workers} | {row.killed} | {row.made} | {row.seconds:.0f} "
        f"| {row.begun:.1f} | {row.each:.2f} | {row.median:.1f} | {row.slowest:.1f} | {row.cpu:.1f} |"
        for row in rows
    ]
    return [f"| {' | '.join(names)} |", f"{'| --- ' * len(names)}|", *lines]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder")
    parser.add_argument("--data", type=Path, required=True, help="manifest with speakers")
    parser.add_argument("--dataset", default="fsdd_connected", help="of the manifest")
    parser.add_argument("--budget", default="1MB")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--clips", type=int, default=12, help="recordings of a user")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--kill", type=int, nargs="*", default=[0], help="workers to kill in a run")
    parser.add_argument("--work", type=Path, default=Path("fleet"), help="for manifests and bundles")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
