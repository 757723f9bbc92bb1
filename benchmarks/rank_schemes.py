r"""Does the expected damage rank schemes of one size as the divergence that they really cause does?

    python benchmarks/rank_schemes.py whisper-tiny.en 20MB --data ../shared/data/speech/manifest.jsonl

The optimal allocation is solved with the damages of each layer multiplied by a random factor, more random from scheme
to scheme; each scheme is then rounded with gptq, expected to lose what the true damages say, and compared with full
precision on recordings of the ``dev`` set of ``benchmarks/splits.json``, teacher-forced and fake-quantized in torch.
All take the same bytes as predicted, to what the steps between widths leave. Writes ``OUT/rank_schemes_MODEL.csv``,
every row as soon as it is measured, and prints Spearman's rank correlation with the divergence for the expectation and
for the average width.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
from ablation import Bench, choose, options_of
from average_bits import average_bits
from scipy.stats import spearmanr
from splits import Splits

from myqasr_fx.audio import select_clips
from myqasr_fx.evaluate import read_manifest
from myqasr_fx.fit.allocation import allocation_pass, expectation, predicted_bytes
from myqasr_fx.fit.fit import rounded
from myqasr_fx.fit.job import FitJob
from myqasr_fx.fit.request import fit_request
from myqasr_fx.measure.measure import measure
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import prepare
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.pipeline import Road, measuring, price
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import RichProgress
from myqasr_fx.verify.fake_quant import runnable_in_torch
from passes.allocation.allocate_bits import allocation_items

MOST_RANDOM = 2.0
"""Standard deviation of the logarithm of the last scheme's factors."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One scheme: bytes and average width, nats a position expected and measured, and how random it was."""

    seed: int
    sigma: float
    predicted_bytes: int
    average_bits: float
    expected: float
    measured: float


def main() -> None:
    options = _options()
    calibration, dev = choose(read_manifest(options.data, {}, None), options.dev)
    splits = Splits.read()
    splits.require("calibration", calibration)
    splits.require("dev", dev)
    prepared = prepare(load_model(options.model))
    bench = Bench.of(prepared, dev, options.language)
    shared = {"holdout": 0.0, "language": options.language, "cache": options.cache}
    config = resolve_config(options.budget, **shared, recipe="fast")
    clips = select_clips([utterance.audio for utterance in calibration], config.max_clips, seed=config.seed)
    learned = measuring(prepared, clips, Road(config, RichProgress(), Limits()))
    job = price(learned, fit_request(prepared, config), measure(learned))
    options.out.mkdir(parents=True, exist_ok=True)
    found: list[Scheme] = []
    with (options.out / f"rank_schemes_{Path(options.model).name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Scheme)], lineterminator="\n")
        writer.writeheader()
        for seed in range(options.schemes):
            sigma = MOST_RANDOM * seed / (options.schemes - 1)
            found.append(scheme(job, bench, seed, sigma))
            writer.writerow(asdict(found[-1]))
            file.flush()
            print(found[-1], flush=True)
    print(correlations(found))


def scheme(job: FitJob, bench: Bench, seed: int, sigma: float) -> Scheme:
    """A scheme of damages with random factors, expected by the true ones and measured."""
    prepared = job.prepared
    random = np.random.default_rng(seed)
    layers = {item.name: item.layer for item in allocation_items(prepared.program, split=True)}
    factors = {layer: random.lognormal(0.0, sigma) for layer in dict.fromkeys(layers.values())}
    damages = {choice: nats * factors[layers[choice[0]]] for choice, nats in job.damages.items()}
    program, _ = rounded(replace(job, damages=damages))
    step = allocation_pass(job)
    expected = expectation(prepared, program, step)
    assert expected is not None  # the optimal allocation weighs damage
    nats = bench.compare(replace(prepared, program=runnable_in_torch(program))).kl
    size = predicted_bytes(prepared, program, step)
    return Scheme(
        seed, round(sigma, 3), size, average_bits(prepared, program), round(expected.total, 5), round(nats, 5)
    )


def correlations(schemes: Sequence[Scheme]) -> str:
    """Spearman's rank correlations with the divergence; for bits with the sign turned: fewer cost more."""
    measured = [row.measured for row in schemes]
    expected = spearmanr([row.expected for row in schemes], measured).statistic
    bits = spearmanr([-row.average_bits for row in schemes], measured).statistic
    return f"{len(schemes)} schemes: expected damage {expected:.2f}, average bits {bits:.2f}"


def _options() -> argparse.Namespace:
    parser = options_of(__doc__)
    parser.add_argument("--schemes", type=int, default=16, help="at least 2")
    return parser.parse_args()


if __name__ == "__main__":
    main()
