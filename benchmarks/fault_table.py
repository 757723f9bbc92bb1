"""The counts of a campaign as a table."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from fault_case import Outcome

_COLUMNS = (Outcome.REFUSED, Outcome.WORKED, Outcome.UNFORESEEN, Outcome.HANG)
_PACKAGES = ("torch", "transformers", "onnxruntime", "tokenizers", "soundfile", "av")


def write_table(rows: Collection[Mapping[str, Any]], kinds: Sequence[str], options: argparse.Namespace) -> int:
    """Prints the table, and writes it where the campaign is a whole one.

    Args:
        rows: Of ``outcomes.jsonl``.
        kinds: All of them, in order.
        options: Of the command line.

    Returns:
        How many outcomes were unforeseen.
    """
    lines = table(rows, kinds)
    print("\n".join(lines))
    counted = counts(rows, kinds)
    if not (options.only or options.again or options.share != 1.0):
        text = "\n".join((f"`python benchmarks/faults.py`, seed {options.seed}.", "", *lines, ""))
        (options.out / "faults.md").write_text(text, encoding="utf-8")
        content = {
            "seed": options.seed,
            "versions": {name: version(name) for name in _PACKAGES},
            "processor_seconds": round(sum(row["cpu_seconds"] for row in rows)),
            "kinds": counted,
        }
        (options.out / "faults.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return sum(row[Outcome.UNFORESEEN] + row[Outcome.HANG] for row in counted.values())


def counts(rows: Iterable[Mapping[str, Any]], kinds: Sequence[str]) -> dict[str, dict[str, int]]:
    """Kind to tries and outcomes."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    for row in rows:
        if row["kind"] in found:
            found[row["kind"]].update((row["outcome"], "tried"))
    return {kind: {name: count[name] for name in ("tried", *_COLUMNS)} for kind, count in found.items() if count}


def table(rows: Collection[Mapping[str, Any]], kinds: Sequence[str]) -> list[str]:
    """Lines of a Markdown table, a kind each, with the longest try of it."""
    counted = counts(rows, kinds)
    lines = [f"| | tried | {' | '.join(_COLUMNS)} | longest, s |", "| --- " * (len(_COLUMNS) + 3) + "|"]
    for kind, count in counted.items():
        longest = max(row["seconds"] for row in rows if row["kind"] == kind)
        lines.append(f"| {kind} | {' | '.join(f'{n:,}' for n in count.values())} | {longest:.1f} |")
    total = [sum(count[name] for count in counted.values()) for name in ("tried", *_COLUMNS)]
    longest = max((row["seconds"] for row in rows), default=0.0)
    return [*lines, f"| all | {' | '.join(f'{n:,}' for n in total)} | {longest:.1f} |"]
