r"""What each method is worth at one byte budget: divergence from full precision on development speech, without texts.

    python benchmarks/ablation.py whisper-tiny.en 20MB --data ../shared/data/speech/manifest.jsonl

Every row changes the one above it, but for ``hqq``, which stands beside rounding to nearest, and the two of learned
rounding, which stand beside the two of refined rounding. ``FRAMES`` rounds with the
gradient-weighted Gram matrices of the optimal allocation under the widths of the row above. Models are calibrated on
the ``calibration`` set of ``benchmarks/splits.json`` and compared on recordings of its ``dev`` set, as many of each
data set: teacher-forced along what full precision writes, fake-quantized in torch. Writes ``OUT/ablation_MODEL.csv``,
every row as soon as it is measured.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile
import torch
from splits import CALIBRATION, CALIBRATION_CLIPS, DEV, Splits, spread

from myqasr_fx.allocation import allocation_pass, predicted_bytes
from myqasr_fx.audio import select_clips
from myqasr_fx.evaluate import Utterance, read_manifest
from myqasr_fx.evaluate.divergence import divergence_of
from myqasr_fx.fit import fit_in_torch
from myqasr_fx.forced_run import ForcedClip, ForcedRun, forced_clip
from myqasr_fx.measure import measure
from myqasr_fx.models.load import load_model
from myqasr_fx.prepare import Prepared, prepare
from myqasr_fx.progress import RichProgress
from myqasr_fx.reference import runnable_in_torch
from myqasr_fx.resolve import resolve_config
from myqasr_fx.runtime.torch_runner import torch_runtime

_OPTIMAL: Mapping[str, object] = {"rounding": "gptq", "allocation": "optimal", "min_bits": 2}

FRAMES = "frames weighted by gradients"

STEPS: Mapping[str, Mapping[str, object]] = {
    "one scale a tensor": {"granularity": "tensor"},
    "one scale a channel": {"granularity": "channel"},
    "groups of 64": {},
    "hqq": {"rounding": "hqq"},
    "gptq": {"rounding": "gptq"},
    FRAMES: {"rounding": "gptq"},
    "optimal allocation, curvature": _OPTIMAL,
    "refined": {**_OPTIMAL, "rounding": "refined"},
    "sequential, biases corrected": {**_OPTIMAL, "rounding": "refined", "sequential": True},
    "equalized": {**_OPTIMAL, "rounding": "refined", "sequential": True, "equalize": True},
    "learned": {**_OPTIMAL, "rounding": "learned"},
    "learned, sequential": {**_OPTIMAL, "rounding": "learned", "sequential": True},
}
"""Name of a row to its options; ``sequential, biases corrected`` is the recipe ``best``."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: nats a position, share of positions with the same best token."""

    step: str
    budget: str
    predicted_bytes: int
    kl: float
    agreement: float
    positions: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """The development clips with what full precision makes of them."""

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
            return cls(clips, [run.logits(clip, run.start(clip)) for clip in clips])

    def compare(self, quantized: Prepared) -> tuple[float, float, int]:
        """Divergence, agreement and positions."""
        run, kl, same, positions = ForcedRun(quantized), 0.0, 0, 0
        with torch.no_grad():
            for clip, expected in zip(self.clips, self.expected, strict=True):
                got = run.logits(clip, run.start(clip))
                kl += float(divergence_of(expected.numpy(), got.numpy()).sum())
                same += int((expected.argmax(-1) == got.argmax(-1)).sum())
                positions += len(got)
        return kl / positions, same / positions, positions


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
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "budget", "predicted_bytes", "kl", "agreement", "positions"])
        for step in options.steps:
            row = measured(prepared, bench, audio, step, options)
            writer.writerow(
                [row.step, row.budget, row.predicted_bytes, f"{row.kl:.5f}", f"{row.agreement:.4f}", row.positions]
            )
            file.flush()
            print(row, flush=True)


def measured(prepared: Prepared, bench: Bench, audio: Sequence[Path], step: str, options: argparse.Namespace) -> Row:
    """Quantizes as ``step`` says and compares; seconds are those of the compiler."""
    start = time.perf_counter()
    fresh = replace(prepared, program=prepared.program.clone())
    shared = {"holdout": 0.0, "language": options.language, "cache": options.cache}
    config = resolve_config(options.budget, **shared, **STEPS[step])
    measured_for = resolve_config(options.budget, **shared, **_OPTIMAL) if step == FRAMES else config
    calibration = measure(fresh, select_clips(audio, config.max_clips, seed=config.seed), measured_for, RichProgress())
    program = fit_in_torch(fresh, calibration, config)
    seconds = time.perf_counter() - start
    size = predicted_bytes(fresh, program, allocation_pass(fresh, calibration, config, 0))
    found = bench.compare(replace(fresh, program=runnable_in_torch(program)))
    return Row(step, options.budget, size, *found, round(seconds, 1))


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
