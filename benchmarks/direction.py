r"""Which layers should lose bits first: those of the largest median activation, or of the smallest.

    python benchmarks/direction.py --data ../shared/data/speech/manifest.jsonl

Calibrates on the calibration set of ``splits.json``, quantizes at three budgets a model in both directions, and
compares with full precision along the tokens that full precision writes for recordings of the development set:
Kullback-Leibler divergence in nats a position, and how often both prefer the same token. Graphs run in torch, fake-
quantized. Prints a table and writes ``OUT/direction.csv``.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from splits import Splits, digest, spread

from myqasr_fx.audio import load_audio, select_clips
from myqasr_fx.evaluate import Interval, Utterance, difference_interval, read_manifest
from myqasr_fx.evaluate.divergence import ReferenceLogits
from myqasr_fx.measure.measure import measure
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import prepare
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.pipeline import Road, measuring, quantize_in_torch
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import RichProgress
from myqasr_fx.runtime.torch_runner import torch_runtime
from myqasr_fx.verify.fake_quant import runnable_in_torch

BUDGETS = {"whisper-tiny.en": ("30MB", "24MB", "20MB"), "whisper-base": ("60MB", "48MB", "40MB")}
ORDERS = ("descending", "ascending")
CLIPS = 30
COLUMNS = ("model", "budget", "order", "audio", "positions", "nats", "same")


@dataclass(frozen=True, slots=True)
class ClipResult:
    """One recording under one quantized model.

    Args:
        audio: Name of the file.
        positions: Tokens that full precision writes, the end included.
        nats: Divergence summed over them.
        same: At how many both prefer the same token.
    """

    audio: str
    positions: int
    nats: float
    same: int


@dataclass(frozen=True, slots=True)
class Case:
    """A model at a budget in one direction."""

    model: str
    budget: str
    order: str


Results = dict[Case, tuple[ClipResult, ...]]


def main() -> None:
    options = _options()
    pinned, utterances = Splits.read(), read_manifest(options.data)
    by_digest = {digest(utterance): utterance for utterance in utterances}
    clips = [by_digest[name] for name in pinned.calibration]
    dev = spread([by_digest[name] for name in pinned.dev], options.clips)
    results: Results = {}
    for model in options.models:
        results |= dict(_run(model, clips, dev))
    _write(options.out / "direction.csv", results)
    print(table(results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest of all sets")
    parser.add_argument("--models", nargs="+", choices=BUDGETS, default=list(BUDGETS))
    parser.add_argument("--clips", type=int, default=CLIPS, help="development recordings to compare on")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


def _run(
    model: str, clips: Sequence[Utterance], dev: Sequence[Utterance]
) -> Iterator[tuple[Case, tuple[ClipResult, ...]]]:
    speech = load_model(model)
    prepared, progress = prepare(speech), RichProgress()
    language = "en" if speech.generation is not None and speech.generation.is_multilingual else None
    chosen = select_clips([utterance.audio for utterance in clips], len(clips))
    full = torch_runtime(speech, prepared.program.clone())
    expected = [(u.audio.name, ReferenceLogits.of(full, load_audio(u.audio).samples, language)) for u in dev]
    measurements = None
    for budget in BUDGETS[model]:
        for order in ORDERS:
            config = resolve_config(budget, recipe="paper-file", order=order, language=language, holdout=0.0)
            job = measuring(prepared, chosen, Road(config, progress, Limits()))
            measurements = measurements or measure(job)
            rounded = quantize_in_torch(job, measurements, config)
            runtime = torch_runtime(speech, runnable_in_torch(rounded))
            with progress.stage(f"{model} at {budget}, {order}", len(expected)) as advance:
                found = []
                for audio, reference in expected:
                    apart = reference.compare(runtime)
                    found.append(ClipResult(audio, apart.tokens, apart.nats, apart.same))
                    advance(1)
            yield Case(model, budget, order), tuple(found)


def table(results: Results) -> str:
    """Both directions side by side, and ascending minus descending with its paired 95 % interval over recordings."""
    heads = ("model", "budget", *ORDERS, "ascending - descending, nats [95 %]")
    lines = [_line(heads), _line(["---"] * len(heads))]
    for model, budget in dict.fromkeys((case.model, case.budget) for case in results):
        found = [results[Case(model, budget, order)] for order in ORDERS]
        cells = [f"{_rate(rows, 'nats'):.4f} nats, {_rate(rows, 'same'):.1%}" for rows in found]
        change = difference(*found)
        difference_cell = (
            f"{_rate(found[1], 'nats') - _rate(found[0], 'nats'):+.4f} [{change.low:+.4f}, {change.high:+.4f}]"
        )
        lines.append(_line([model, budget, *cells, difference_cell]))
    positions = {case.model: sum(row.positions for row in rows) for case, rows in results.items()}
    counts = ", ".join(f"{count} of {model}" for model, count in positions.items())
    return "\n".join([*lines, "", f"Positions: {counts}."])


def difference(descending: Sequence[ClipResult], ascending: Sequence[ClipResult]) -> Interval:
    """Interval of the divergence in ascending order minus that in descending order, in nats a position."""
    nats = ([row.nats for row in rows] for rows in (ascending, descending))
    return difference_interval(*nats, [row.positions for row in descending])


def _rate(rows: Sequence[ClipResult], name: str) -> float:
    return sum(getattr(row, name) for row in rows) / sum(row.positions for row in rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _write(path: Path, results: Results) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for case, rows in results.items():
            for row in rows:
                writer.writerow(
                    [case.model, case.budget, case.order, row.audio, row.positions, f"{row.nats:.5f}", row.same]
                )


if __name__ == "__main__":
    main()
