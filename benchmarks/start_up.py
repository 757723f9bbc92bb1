r"""Where the seconds from the shell to the first text go, on an idle machine.

    python benchmarks/start_up.py --clip CLIP.wav --bundles BUNDLE… [--before OLD_ENVIRONMENT/bin/python]

Every round starts a process for each bundle that does what ``myqasr transcribe BUNDLE CLIP`` does, and one that is the
command itself; with ``--before`` the command of another version, too, on the same bundle. The split of the first:
interpreter and imports, opening the graphs (with the unfolding of codes), features, encoder, and decoder with
everything else; medians over rounds. ``kept`` is the command with ``--keep-graphs`` from its second start on. Writes
``OUT/start_up_NAME.csv``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from rows_file import write_rows

SPLIT = ("imports", "load", "features", "encoder", "tokens")


@dataclass(frozen=True, slots=True)
class Row:
    """Median seconds of a bundle.

    Args:
        bundle: Folder name.
        bytes: Of its graphs.
        imports, load, features, encoder, tokens: Of a process that does what the command does.
        command: Of ``myqasr transcribe``, from the shell.
        kept: The same with kept graphs.
        before: The same, of the other version; 0 without one.
        ratio: Of ``command`` to ``before``, the median over rounds; 0 without one.
    """

    bundle: str
    bytes: int
    imports: float
    load: float
    features: float
    encoder: float
    tokens: float
    command: float
    kept: float
    before: float
    ratio: float


def main() -> None:
    options = _options()
    if options.started:
        print(json.dumps(_split(options.bundles[0], options.clip, options.started)))
        return
    with tempfile.TemporaryDirectory() as folder:
        rounds = [
            [_round(bundle, options, Path(folder, str(number))) for number, bundle in enumerate(options.bundles)]
            for _ in range(options.rounds + 1)
        ]
    rows = [_row(bundle, [one[number] for one in rounds[1:]]) for number, bundle in enumerate(options.bundles)]
    options.out.mkdir(parents=True, exist_ok=True)
    write_rows(Row, options.out / f"start_up_{options.name}.csv", rows)
    print(*table(rows), sep="\n")


def table(rows: Sequence[Row]) -> list[str]:
    """Lines of a Markdown table, seconds."""
    names = [field.name for field in fields(Row)]
    lines = [f"| {' | '.join(names)} |", f"{'| --- ' * len(names)}|"]
    for row in rows:
        name, size, *seconds = astuple(row)
        lines.append(f"| {name} | {size / 1e6:.1f} MB | {' | '.join(f'{one:.2f}' for one in seconds)} |")
    return lines


def _split(bundle: Path, clip: Path, started: float) -> dict[str, float]:
    """Seconds by stage of this process, which began at ``started`` of the wall clock."""
    from speed import Watch

    import_module("myqasr_fx.cli.transcribe")
    from myqasr_fx.runtime import OrtSettings, load_bundle

    found, start = {"imports": time.time() - started}, time.perf_counter()
    runtime: Any = load_bundle(bundle, OrtSettings())
    found["load"], watch = time.perf_counter() - start, Watch()
    runtime = replace(runtime, features=watch.timed(lambda _: "features", runtime.features))
    runtime.encoder.run = watch.timed(lambda _: "encoder", runtime.encoder.run)
    start = time.perf_counter()
    runtime.transcribe(clip)
    heard = {stage: watch.seconds[stage] for stage in ("features", "encoder")}
    return {**found, **heard, "tokens": time.perf_counter() - start - sum(heard.values())}


def _round(bundle: Path, options: argparse.Namespace, kept: Path) -> dict[str, float]:
    """Seconds of every way to start, once."""
    mine = [sys.executable, __file__, "--clip", options.clip, "--bundles", bundle, "--started", str(time.time())]
    found: dict[str, float] = json.loads(subprocess.run(mine, check=True, capture_output=True, text=True).stdout)
    command = "-m", "myqasr_fx", "transcribe", bundle, options.clip
    found["command"] = _seconds([sys.executable, *command])
    found["kept"] = _seconds([sys.executable, *command, "--keep-graphs", kept])
    found["before"] = _seconds([options.before, *command]) if options.before else 0.0
    return found


def _seconds(command: Sequence[str | Path]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def _row(bundle: Path, rounds: Sequence[dict[str, float]]) -> Row:
    size = sum(path.stat().st_size for path in bundle.glob("*.onnx"))
    middle = {key: round(statistics.median(one[key] for one in rounds), 3) for key in rounds[0]}
    ratio = statistics.median(one["command"] / one["before"] for one in rounds) if middle["before"] else 0.0
    return Row(bundle.name, size, **middle, ratio=round(ratio, 3))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--bundles", type=Path, nargs="+", required=True)
    parser.add_argument("--before", type=Path, help="python of an environment with another version")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--name", default="whisper-tiny.en")
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
