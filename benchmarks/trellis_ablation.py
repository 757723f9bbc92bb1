r"""What trellis codes are worth at one byte budget, step by step, on development speech.

    python benchmarks/trellis_ablation.py whisper-tiny.en 16MB --data ../shared/data/speech/manifest.jsonl

Models are calibrated on the whole ``calibration`` set of ``benchmarks/splits.json`` and compared with full precision on
recordings of its ``dev`` set, as many of each data set, teacher-forced and fake-quantized in torch. Writes
``OUT/trellis_ablation_MODEL.csv``, a row a step and recording, every step as soon as it is measured, and prints the
table: nats a position, and what a step changes of the step above it, with a 95 % interval by resampling recordings in
pairs. Steps of the same budget that the file holds already are not measured again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import torch
from ablation import STEPS as FORMER
from ablation import Bench, choose, options_of
from rows_file import read_rows, write_rows
from splits import Splits

from myqasr_fx.audio import select_clips
from myqasr_fx.evaluate import difference_interval, read_manifest
from myqasr_fx.evaluate.divergence import divergence_of
from myqasr_fx.fit.allocation import predicted_bytes
from myqasr_fx.fit.fit import rounded
from myqasr_fx.fit.request import fit_request
from myqasr_fx.measure.forced_run import ForcedRun
from myqasr_fx.measure.measure import measure
from myqasr_fx.measure.store import Key, Store
from myqasr_fx.measure.stored import LEVELS
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.pipeline import Road, measuring, price
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import RichProgress
from myqasr_fx.verify.fake_quant import runnable_in_torch
from passes.rounding.trellis_table import gaussian_table

T = TypeVar("T")

_AFFINE, _TURNS = FORMER["sequential, biases corrected"], FORMER["trellis codes (best)"]

GAUSSIAN, FITTED = "trellis codes, Gaussian table", "fitted table"

STEPS: Mapping[str, Mapping[str, object]] = {
    "affine codes": _AFFINE,
    GAUSSIAN: {**_TURNS, "rounding": "gptq"},
    FITTED: {**_TURNS, "rounding": "gptq"},
    "rows weighed (normal)": {**_TURNS, "rounding": "gptq"},
    "scales and paths take turns (high)": _TURNS,
}
"""Name of a step to its options."""


@dataclass(frozen=True, slots=True)
class Row:
    """One recording under one step: nats, summed over positions, and how many of them prefer the same token."""

    step: str
    budget: str
    predicted_bytes: int
    clip: int
    nats: float
    same: int
    positions: int


@dataclass(frozen=True, slots=True)
class GaussianTables(Store):
    """Keeps what another store keeps, but for tables of trellis codes, which are those that a fit starts from."""

    def get(self, key: Key[T], compute: Callable[[], T]) -> T:
        """As of :class:`Store`."""
        return cast(T, gaussian_table()) if key.codec is LEVELS else Store.get(self, key, compute)


def main() -> None:
    options = options_of(__doc__).parse_args()
    calibration, dev = choose(read_manifest(options.data, {}, None), options.dev)
    splits = Splits.read()
    splits.require("calibration", calibration)
    splits.require("dev", dev)
    prepared = prepare(load_model(options.model))
    bench = Bench.of(prepared, dev, options.language)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"trellis_ablation_{Path(options.model).name}.csv"
    rows = read_rows(Row, path)
    for step in STEPS:
        if not any((row.step, row.budget) == (step, options.budget) for row in rows):
            rows += measured(prepared, bench, [utterance.audio for utterance in calibration], step, options)
            write_rows(Row, path, rows)
    print(table([row for row in rows if row.budget == options.budget]))


def measured(
    prepared: Prepared, bench: Bench, audio: Sequence[Path], step: str, options: argparse.Namespace
) -> Iterator[Row]:
    """Quantizes as ``step`` says and compares clip by clip."""
    shared = {"holdout": 0.0, "language": options.language, "cache": options.cache}
    config = resolve_config(options.budget, recipe="paper-file", **shared, **STEPS[step])
    clips = select_clips(audio, config.max_clips, seed=config.seed)
    learned = measuring(prepared, clips, Road(config, RichProgress(), Limits()))
    job = price(learned, fit_request(prepared, config), measure(learned))
    if step == GAUSSIAN:
        job = replace(job, store=GaussianTables(job.store.folder, job.store.keys))
    if step in (GAUSSIAN, FITTED):  # widths are priced: the curvatures would but tell which rows matter
        job = replace(job, measurements=replace(job.measurements, curvatures={}))
    program, chosen = rounded(job)
    size = predicted_bytes(job.prepared, program, chosen)
    run = ForcedRun(replace(prepared, program=runnable_in_torch(program)))
    for index, (clip, expected) in enumerate(zip(bench.clips, bench.expected, strict=True)):
        with torch.no_grad():
            got = run.logits(clip, run.start(clip))
        nats = float(divergence_of(expected.numpy(), got.numpy()).sum())
        same = int((expected.argmax(-1) == got.argmax(-1)).sum())
        yield Row(step, options.budget, size, index, round(nats, 5), same, len(got))


def table(rows: Sequence[Row]) -> str:
    """In Markdown."""
    lines = ["| step | bytes | nats a position | change to the step above | same best token |", "|" + " --- |" * 5]
    above: list[Row] = []
    for step in dict.fromkeys(row.step for row in rows):
        own = [row for row in rows if row.step == step]
        positions = [row.positions for row in own]
        nats, same = sum(row.nats for row in own) / sum(positions), sum(row.same for row in own) / sum(positions)
        change = ""
        if above:
            around = difference_interval([row.nats for row in own], [row.nats for row in above], positions)
            moved = float(np.sum([a.nats - b.nats for a, b in zip(own, above, strict=True)])) / sum(positions)
            change = f"{moved:+.4f} [{around.low:+.4f}, {around.high:+.4f}]"
        lines.append(f"| {step} | {own[0].predicted_bytes:,} | {nats:.4f} | {change} | {same:.1%} |")
        above = own
    return "\n".join(lines)


if __name__ == "__main__":
    main()
