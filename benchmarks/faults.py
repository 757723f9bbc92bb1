r"""The fault campaign: what people feed the compiler, broken in every way that comes to mind.

    python benchmarks/faults.py --work /tmp/faults
    python benchmarks/faults.py --work /tmp/faults --only rules cache --show
    python benchmarks/faults.py --work /tmp/faults --again "rules/17"

Thousands of inputs, each with faults that a seed chooses (models, recordings, manifests, rules, caches, bundles, ONNX
files, data of reports), then signals at every stage of the commands that write, full disks, and missing homes,
terminals and streams. A command shall work, or refuse in one line with exit code 2, leave nothing half-written and take
less than a minute; anything else is unforeseen. ``--work`` holds the healthy inputs, ``outcomes.jsonl`` with a line a
try, so that a campaign that was stopped goes on, and in ``kept`` every input whose outcome was unforeseen. Writes
``OUT/faults.md`` and ``OUT/faults.json``. Commands run in children forked from a process in which everything is
imported, one after the other; ``--again`` repeats single tries.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import fault_bundles
import fault_disk
import fault_files
import fault_kill
import fault_models
import fault_places
from fault_base import build
from fault_case import Kind, Outcome, Trial, Tried, judge
from fault_process import Place, import_everything, run, warm_up
from fault_table import write_table

SEED = 14
INPUTS = (*fault_models.KINDS, *fault_files.KINDS, *fault_bundles.KINDS)
TRIALS = (*fault_kill.TRIALS, *fault_disk.TRIALS, *fault_places.TRIALS)
_BAD = (Outcome.UNFORESEEN, Outcome.HANG)


def main() -> None:
    options = _options()
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    import_everything()
    base, log = options.work / "base", options.work / "outcomes.jsonl"
    build(base)
    warm_up(base)
    known = read_outcomes(log)
    for trial, number in _wanted(options):
        name = f"{trial.name}/{number}"
        if name in known and not options.again:
            continue
        row = attempt(trial, number, options)
        known[name] = row
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if row["outcome"] in _BAD or options.show:
            print(f"{name}: {row['outcome']}: {row['fault'][:200]}\n    {row['why']}", flush=True)
    bad = write_table(known.values(), [trial.name for trial in _trials()], options)
    raise SystemExit(bool(bad))


def _trials() -> tuple[Trial, ...]:
    return (*map(trial_of, INPUTS), *TRIALS)


def _wanted(options: argparse.Namespace) -> Iterator[tuple[Trial, int]]:
    trials = _trials()
    if options.again:
        by_name = {trial.name: trial for trial in trials}
        for name in options.again:
            kind, _, number = name.rpartition("/")
            yield by_name[kind], int(number)
        return
    for trial in trials:
        if not options.only or any(word in trial.name for word in options.only):
            yield from ((trial, number) for number in range(round(trial.tries * options.share)))


def trial_of(kind: Kind) -> Trial:
    """A kind of inputs as tries: make one, run it, judge."""

    def attempt(base: Path, scratch: Path, random: Random, number: int) -> Tried:
        (scratch / "in").mkdir()
        case = kind.make(base, scratch, random)
        ended = run(case.command, Place(scratch))
        return Tried(case.fault, case.command, judge(case, ended, scratch), ended)

    return Trial(kind.name, kind.inputs, attempt)


def attempt(trial: Trial, number: int, options: argparse.Namespace) -> dict[str, Any]:
    """Makes one try in a fresh folder, which is kept where the outcome is unforeseen.

    Returns:
        A row of ``outcomes.jsonl``.
    """
    name = f"{trial.name}/{number}"
    scratch = options.work / "scratch"
    fault_disk.unmount(scratch)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    start = processor_seconds()
    tried = trial.attempt(options.work / "base", scratch, Random(f"{options.seed}/{name}"), number)
    if tried.verdict.outcome in _BAD:
        kept = options.work / "kept" / name.replace("/", "_").replace(" ", "-")
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(exist_ok=True)
        scratch.rename(kept)
    return {
        "name": name,
        "kind": trial.name,
        "seed": options.seed,
        "fault": tried.fault,
        "command": list(tried.command),
        "outcome": str(tried.verdict.outcome),
        "why": tried.verdict.why,
        "seconds": round(tried.ended.seconds, 3),
        "cpu_seconds": round(processor_seconds() - start, 3),
    }


def processor_seconds() -> float:
    """That this process and its children took so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def read_outcomes(path: Path) -> dict[str, dict[str, Any]]:
    """Name to row; of a try that was made twice the last, and no line that was cut off."""
    rows: dict[str, dict[str, Any]] = {}
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for line in text[: text.rfind("\n") + 1].split("\n")[:-1]:
        row = json.loads(line)
        rows[row["name"]] = row
    return rows


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of inputs and outcomes")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--share", type=float, default=1.0, help="of the tries of every kind")
    parser.add_argument("--only", nargs="*", metavar="WORD", help="kinds whose name has one of these words")
    parser.add_argument("--again", nargs="*", metavar="KIND/NUMBER", help="tries to repeat")
    parser.add_argument("--show", action="store_true", help="print every try, not only what is unforeseen")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
