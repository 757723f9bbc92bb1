r"""What each method is worth at one byte budget: divergence from full precision, and errors, on development speech.

    python benchmarks/ablation.py whisper-tiny.en 20MB --data ../shared/data/speech/manifest.jsonl

Every row changes the one above it. ``FRAMES`` rounds with the gradient-weighted Gram matrices of the optimal allocation
under the widths of the row above. Models are calibrated on
the ``calibration`` set of ``benchmarks/splits.json`` and compared on recordings of its ``dev`` set, as many of each
data set: teacher-forced along what full precision writes, and by the word errors of what each writes by itself,
fake-quantized in torch. Writes ``OUT/ablation_MODEL.csv``, every row as soon as it is measured; rows that are there
already are kept when they are of the same budget, so that ``--steps`` can go on with others.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import soundfile
import torch
from splits import CALIBRATION, CALIBRATION_CLIPS, DEV, Splits, spread

from myqasr_fx.audio import select_clips
from myqasr_fx.evaluate import Evaluation, Utterance, evaluate, read_manifest
from myqasr_fx.evaluate.divergence import divergence_of
from myqasr_fx.fit.allocation import predicted_bytes
from myqasr_fx.fit.fit import rounded
from myqasr_fx.fit.request import fit_request
from myqasr_fx.measure.forced_run import ForcedClip, ForcedRun, forced_clip
from myqasr_fx.measure.measure import measure
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.pipeline import Road, measuring, price
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import RichProgress
from myqasr_fx.runtime.torch_runner import torch_runtime
from myqasr_fx.verify.fake_quant import runnable_in_torch

_OPTIMAL: Mapping[str, object] = {"rounding": "gptq", "allocation": "optimal", "min_bits": 2, "format": "affine"}

_BEST: Mapping[str, object] = {**_OPTIMAL, "rounding": "refined", "sequential": True}
"""The recipe ``best`` with evenly spaced codes."""

FULL = "full precision"
FRAMES = "frames weighted by gradients"

STEPS: Mapping[str, Mapping[str, object]] = {
    FULL: {},
    "one scale a tensor": {"granularity": "tensor"},
    "one scale a channel": {"granularity": "channel"},
    "groups of 64": {},
    "gptq": {"rounding": "gptq"},
    FRAMES: {"rounding": "gptq"},
    "optimal allocation, curvature": _OPTIMAL,
    "refined": {**_OPTIMAL, "rounding": "refined"},
    "sequential, biases corrected": _BEST,
    "trellis codes (best)": {**_BEST, "format": "auto"},
    "trellis codes, gptq, sequential (normal)": {**_BEST, "format": "auto", "rounding": "gptq"},
    "trellis codes, gptq (fast)": {**_OPTIMAL, "format": "auto"},
}
"""Name of a row to its options."""

RETIRED = (
    *("hqq", "equalized", "pairs equalized", "norms and pairs equalized", "rows sorted", "learned"),
    *("learned, sequential", "gptq, norms equalized", "gptq, pairs equalized", "optimal allocation, rows sorted"),
)
"""Rows of methods that are no longer there; a file keeps what was measured of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: nats a position, share of positions with the same best token, errors a word."""

    step: str
    budget: str
    predicted_bytes: int
    kl: float
    agreement: float
    positions: int
    wer: float
    words: int

    @classmethod
    def of(cls, step: str, budget: str, size: int, found: Closeness, heard: Evaluation) -> Row:
        """Rounded as the file has it."""
        nats, same = round(found.kl, 5), round(found.agreement, 4)
        return cls(step, budget, size, nats, same, found.positions, round(heard.wer, 5), heard.words)


@dataclass(frozen=True, slots=True)
class Closeness:
    """Nats a position, share of positions with the same best token, positions."""

    kl: float
    agreement: float
    positions: int


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """The development clips with what full precision makes of them."""

    utterances: Sequence[Utterance]
    language: str | None
    clips: Sequence[ForcedClip]
    expected: Sequence[torch.Tensor]

    @classmethod
    def of(cls, prepared: Prepared, utterances: Sequence[Utterance], language: str | None) -> Bench:
        """Hears the utterances at full precision."""
        runtime, clips = torch_runtime(prepared.speech, prepared.program), []
        for utterance in utterances:
            samples, _ = soundfile.read(utterance.audio, dtype="float32")
            (said,) = runtime.transcribe_batch([samples], language)
            clips.append(forced_clip(prepared.speech, samples, said))
        run = ForcedRun(prepared)
        with torch.no_grad():
            return cls(utterances, language, clips, [run.logits(clip, run.start(clip)) for clip in clips])

    def compare(self, quantized: Prepared) -> Closeness:
        """How far the distributions are from full precision."""
        run, kl, same, positions = ForcedRun(quantized), 0.0, 0, 0
        with torch.no_grad():
            for clip, expected in zip(self.clips, self.expected, strict=True):
                got = run.logits(clip, run.start(clip))
                kl += float(divergence_of(expected.numpy(), got.numpy()).sum())
                same += int((expected.argmax(-1) == got.argmax(-1)).sum())
                positions += len(got)
        return Closeness(kl / positions, same / positions, positions)

    def hear(self, quantized: Prepared) -> Evaluation:
        """Word errors."""
        return evaluate(torch_runtime(quantized.speech, quantized.program), self.utterances, language=self.language)


def main() -> None:
    options = _options()
    utterances = read_manifest(options.data, {}, None)
    calibration, dev = choose(utterances, options.dev)
    splits = Splits.read()
    splits.require("calibration", calibration)
    splits.require("dev", dev)
    prepared = prepare(load_model(options.model))
    bench = Bench.of(prepared, dev, options.language)
    audio = [utterance.audio for utterance in calibration]
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"ablation_{Path(options.model).name}.csv"
    rows = {row.step: row for row in read_rows(path) if row.budget == options.budget}
    for step in options.steps:
        rows[step] = measured(prepared, bench, audio, step, options)
        print(rows[step], flush=True)
        write_rows(path, [rows[name] for name in (*STEPS, *RETIRED) if name in rows])


def measured(prepared: Prepared, bench: Bench, audio: Sequence[Path], step: str, options: argparse.Namespace) -> Row:
    """Quantizes as ``step`` says and compares."""
    if step == FULL:
        size = torch_runtime(prepared.speech, prepared.program).model_bytes
        return Row.of(step, options.budget, size, bench.compare(prepared), bench.hear(prepared))
    shared = {"holdout": 0.0, "language": options.language, "cache": options.cache}
    config = resolve_config(options.budget, recipe="paper-file", **shared, **STEPS[step])
    measured_for = (
        resolve_config(options.budget, recipe="paper-file", **shared, **_OPTIMAL) if step == FRAMES else config
    )
    clips = select_clips(audio, config.max_clips, seed=config.seed)
    learned = measuring(prepared, clips, Road(measured_for, RichProgress(), Limits()))
    job = price(learned, fit_request(prepared, config), measure(learned))
    program, chosen = rounded(job)
    size = predicted_bytes(job.prepared, program, chosen)
    lowered = replace(prepared, program=runnable_in_torch(program))
    return Row.of(step, options.budget, size, bench.compare(lowered), bench.hear(lowered))


def read_rows(path: Path) -> list[Row]:
    """Rows of an earlier run; none when there was none."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Row(
                line["step"],
                line["budget"],
                int(line["predicted_bytes"]),
                float(line["kl"]),
                float(line["agreement"]),
                int(line["positions"]),
                float(line["wer"]),
                int(line["words"]),
            )
            for line in csv.DictReader(file)
        ]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """One line a row."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([f.name for f in fields(Row)])
        writer.writerows([getattr(row, f.name) for f in fields(Row)] for row in rows)


def choose(utterances: Sequence[Utterance], each: int) -> tuple[list[Utterance], list[Utterance]]:
    """Recordings to calibrate on, and ``each`` of every development set."""
    sets = {name: [u for u in utterances if u.fields.get("dataset") == name] for name in (CALIBRATION, *DEV)}
    calibration = spread(sets[CALIBRATION], CALIBRATION_CLIPS)
    paths = {utterance.audio for utterance in calibration}
    dev = [u for found in sets.values() for u in spread([u for u in found if u.audio not in paths], each)]
    return calibration, dev


def _options() -> argparse.Namespace:
    parser = options_of(__doc__)
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=list(STEPS), metavar="STEP")
    return parser.parse_args()


def options_of(description: str | None) -> argparse.ArgumentParser:
    """What every comparison on development speech at one size asks for."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("budget", help="bytes of the model files, such as 20MB")
    parser.add_argument("--data", type=Path, required=True, help="manifest of all sets")
    parser.add_argument("--dev", type=int, default=8, help="recordings of each development set")
    parser.add_argument("--language", help="of a multilingual model")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "myqasr-cache")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser


if __name__ == "__main__":
    main()
