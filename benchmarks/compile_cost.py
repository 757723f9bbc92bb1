r"""What a file costs to make: seconds and peak memory of our compiler and of other quantizers on the same model.

    python benchmarks/compile_cost.py whisper-tiny.en 24MB --data ../shared/data/speech/manifest.jsonl \
        --full BUNDLE32 --peers-python venv-peers/bin/python

Every maker runs in a process of its own, ``--rounds`` times in turn, nothing else running. Ours is the whole command,
from the recordings to the verified and judged bundle: the first budget with an empty cache, the next one with the
statistics of the first, and ``--recipe best``. The others start from the ONNX files of ``BUNDLE32`` and end with their
own; they look at no recordings and verify nothing. Writes ``OUT/compile_cost_MODEL.csv``: medians of the rounds, and
each one's ratio to the first maker's in the same round.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from peer_files import Workshop, nncf, ort_4bit, ort_dynamic

MAKERS: Mapping[str, Callable[[Workshop], Path]] = {
    "onnxruntime dynamic int8": ort_dynamic,
    "onnxruntime 4 bit, block 32": ort_4bit,
    "NNCF int8": nncf("int8_asym"),
    "NNCF int4": nncf("int4_asym"),
}
_MEGA = 1e6


@dataclass(frozen=True, slots=True)
class Cost:
    """One run of one maker.

    Args:
        seconds: From start to end of its process.
        peak_mb: Largest resident size of the process or of one that it started, 10^6 bytes.
    """

    seconds: float
    peak_mb: float


def main() -> None:
    options = _options()
    if options.make:
        MAKERS[options.make](Workshop(options.model, options.work, options.peers_python, options.full))
        return
    with tempfile.TemporaryDirectory() as folder:
        rounds = [one_round(options, Path(folder) / str(index)) for index in range(options.rounds)]
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / f"compile_cost_{options.model}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["maker", "seconds", "ratio", "peak_mb"])
        for row in rows(rounds):
            writer.writerow(row)
            print(*row, flush=True)


def rows(rounds: Sequence[Mapping[str, Cost]]) -> list[tuple[str, str, str, str]]:
    """Maker, median seconds, median ratio to the first maker of the same round, median peak."""
    first = next(iter(rounds[0]))
    found = []
    for name in rounds[0]:
        seconds = statistics.median(each[name].seconds for each in rounds)
        ratio = statistics.median(each[name].seconds / each[first].seconds for each in rounds)
        peak = statistics.median(each[name].peak_mb for each in rounds)
        found.append((name, f"{seconds:.1f}", f"{ratio:.2f}", f"{peak:.0f}"))
    return found


def one_round(options: argparse.Namespace, work: Path) -> dict[str, Cost]:
    """Every maker once."""
    commands = {**_ours(options, work), **_theirs(options, work)}
    commands = {name: command for name, command in commands.items() if name not in options.without}
    found = {}
    for name, command in commands.items():
        work.mkdir(parents=True, exist_ok=True)
        found[name] = cost(command)
        print(name, found[name], flush=True)
    shutil.rmtree(work)
    return found


def cost(command: Sequence[str | Path]) -> Cost:
    """Runs a command.

    Raises:
        SystemExit: It failed.
    """
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        code = os.waitstatus_to_exitcode(status)
        process.returncode = code
        if code not in (0, 3):  # 3: made, and rejected by the verdict
            said.seek(0)
            raise SystemExit(f"{command[0]}: exit code {code}: {said.read().decode(errors='replace')[-500:]}")
    return Cost(seconds, usage.ru_maxrss * 1024 / _MEGA)


def _ours(options: argparse.Namespace, work: Path) -> dict[str, list[str | Path]]:
    from ablation import choose

    from myqasr_fx.evaluate import read_manifest

    clips, _ = choose(read_manifest(options.data, {}, None), 0)
    audio = [clip.audio for clip in clips]
    start: list[str | Path] = [sys.executable, "-m", "myqasr_fx", "quantize", options.model, *audio]
    cache: list[str | Path] = ["--cache", work / "cache", "--force", "--out", work / "bundle"]
    language = ["--language", options.language] if options.language else []
    runs = {
        "ours": ["--budget", options.budget],
        "ours, the next budget": ["--budget", options.next_budget],
        "ours, best": ["--budget", options.budget, "--recipe", "best"],
    }
    return {name: [*start, *language, *run, *cache] for name, run in runs.items()}


def _theirs(options: argparse.Namespace, work: Path) -> dict[str, list[str | Path]]:
    shared = [options.model, options.budget, "--full", options.full, "--peers-python", options.peers_python]
    return {name: [sys.executable, __file__, *shared, "--work", work, "--make", name] for name in MAKERS}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a built-in model")
    parser.add_argument("budget", help="bytes of the model files, such as 24MB")
    parser.add_argument("--next-budget", default="26MB", help="budget that takes the statistics of the first")
    parser.add_argument("--data", type=Path, help="manifest of all sets")
    parser.add_argument("--language", help="of a multilingual model")
    parser.add_argument("--full", type=Path, required=True, help="bundle at 32 bits")
    parser.add_argument("--peers-python", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without", nargs="*", default=(), metavar="MAKER", help="leave these out")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--make", choices=MAKERS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
