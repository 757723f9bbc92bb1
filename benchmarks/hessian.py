r"""Which repair holds the paper's Hessian calibration on whisper-base.

    python benchmarks/hessian.py whisper-base --data speech/manifest.jsonl

One scale a tensor, 8-bit inputs, one width for all layers, as in the paper. Each draw calibrates on eight recordings of
the calibration set of ``splits.json``; models run in torch, fake-quantized, and are compared with full precision along
the tokens that full precision writes for recordings of the development set. Writes ``OUT/hessian_MODEL.csv``
model by model, goes on where it was, and prints the table of ``benchmarks/paper/README.md``.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rows_file import read_rows, write_rows
from splits import Splits, digest, spread

from myqasr_fx.audio import ClipSet, load_audio, select_clips
from myqasr_fx.evaluate import Utterance, difference_interval, read_manifest
from myqasr_fx.evaluate.divergence import ReferenceLogits
from myqasr_fx.measure.measure import measure
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.pipeline import Road, measuring, quantize_in_torch
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import RichProgress
from myqasr_fx.runtime.torch_runner import torch_runtime
from myqasr_fx.verify.fake_quant import runnable_in_torch

WAYS = ("hessian", "hessian_blended", "cosine", "min_max")
"""Calibrations; the committed rows hold others, of a version that had more ways to steady the formula."""

CLIPS = 8


@dataclass(frozen=True, slots=True)
class HessianRow:
    """One recording under one quantized model.

    Args:
        calibration: Name.
        bits: Of every layer.
        rows: Kept of what each layer reads.
        draw: Of the calibration recordings.
        audio: Name of the file.
        positions: Tokens that full precision writes, the end included.
        nats: Divergence summed over them.
        same: At how many both prefer the same token.
    """

    calibration: str
    bits: int
    rows: int
    draw: int
    audio: str
    positions: int
    nats: float
    same: int


def main() -> None:
    options = _options()
    pinned, utterances = Splits.read(), read_manifest(options.data)
    by_digest = {digest(utterance): utterance for utterance in utterances}
    clips = [by_digest[name] for name in pinned.calibration]
    dev = spread([by_digest[name] for name in pinned.dev], options.dev)
    path = options.out / f"hessian_{Path(options.model).name}.csv"
    rows = read_rows(HessianRow, path)
    done = {(row.calibration, row.bits, row.rows, row.draw) for row in rows}
    wanted = [
        (way, bits, options.rows, draw)
        for bits in options.bits
        for draw in range(options.draws)
        for way in WAYS
        if not options.only or way in options.only
    ]
    bench = _Bench(prepare(load_model(options.model)), dev) if set(wanted) - done else None
    for case in (case for case in wanted if bench is not None and case not in done):
        rows += bench.run(_drawn(clips, case[-1]), case)
        write_rows(HessianRow, path, rows)
    print(table(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True, help="manifest of all sets")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--rows", type=int, default=Limits().rows, help="kept of what each layer reads")
    parser.add_argument("--bits", type=int, nargs="+", default=[5])
    parser.add_argument("--only", nargs="+", help="names of calibrations")
    parser.add_argument("--dev", type=int, default=6, help="development recordings to compare on")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


def _drawn(clips: Sequence[Utterance], draw: int) -> ClipSet:
    chosen = random.Random(draw).sample(list(clips), CLIPS)
    return select_clips([utterance.audio for utterance in chosen], CLIPS)


class _Bench:
    """Quantizes and compares; what the clips tell is kept for the next calibration that needs the same."""

    def __init__(self, prepared: Prepared, dev: Sequence[Utterance]) -> None:
        self._prepared = prepared
        generation = prepared.speech.generation
        self._language = "en" if generation is not None and generation.is_multilingual else None
        full = torch_runtime(prepared.speech, prepared.program.clone())
        self._expected = [
            (u.audio.name, ReferenceLogits.of(full, load_audio(u.audio).samples, self._language)) for u in dev
        ]
        self._told: tuple[object, Measurements] | None = None

    def run(self, clips: ClipSet, case: tuple[str, int, int, int]) -> list[HessianRow]:
        name, bits, rows, _ = case
        options = {"recipe": "paper", "calibration": name, "language": self._language, "holdout": 0.0}
        config = resolve_config(uniform_bits=bits, **options)  # type: ignore[arg-type]
        limits = replace(Limits(), rows=rows)
        job = measuring(self._prepared, clips, Road(config, progress := RichProgress(), limits))
        key = (clips.sha256, job.request.needs, limits)
        if self._told is None or self._told[0] != key:
            self._told = (key, measure(job))
        rounded = quantize_in_torch(job, self._told[1], config)
        runtime, found = torch_runtime(self._prepared.speech, runnable_in_torch(rounded)), []
        with progress.stage(f"{name} at {bits} bits", len(self._expected)) as advance:
            for audio, reference in self._expected:
                apart = reference.compare(runtime)
                found.append(HessianRow(*case, audio, apart.tokens, apart.nats, apart.same))
                advance(1)
        return found


def table(rows: Sequence[HessianRow]) -> str:
    """Nats a token of every draw, of all, and beside ``hessian`` with a paired 95 % interval over recordings."""
    draws = sorted({row.draw for row in rows})
    heads = ["calibration", "bits", *(f"draw {draw}" for draw in draws), "all", "beside `hessian` [95 %]"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for bits in sorted({row.bits for row in rows}, reverse=True):
        for name in dict.fromkeys(row.calibration for row in rows if row.bits == bits):
            mine = [row for row in rows if (row.calibration, row.bits) == (name, bits)]
            cells = [_rate([row for row in mine if row.draw == draw]) for draw in draws]
            lines.append(_line([f"`{name}`", str(bits), *cells, _rate(mine), _beside(rows, mine)]))
    return "\n".join(lines)


def _rate(rows: Sequence[HessianRow]) -> str:
    return f"{sum(row.nats for row in rows) / sum(row.positions for row in rows):.3f}" if rows else ""


def _beside(rows: Sequence[HessianRow], mine: Sequence[HessianRow]) -> str:
    """Difference on the draws that both ran, those of a recording added up."""
    theirs = {(r.draw, r.audio): r for r in rows if (r.calibration, r.bits) == ("hessian", mine[0].bits)}
    sums: dict[str, list[float]] = {}
    for row in mine:
        if row.calibration != "hessian" and (other := theirs.get((row.draw, row.audio))) is not None:
            found = sums.setdefault(row.audio, [0.0, 0.0, 0.0])
            for index, value in enumerate((row.nats, other.nats, row.positions)):
                found[index] += value
    if not sums:
        return ""
    own, other, positions = zip(*sums.values(), strict=True)
    interval = difference_interval(own, other, positions)  # type: ignore[arg-type]
    change = (sum(own) - sum(other)) / sum(positions)
    return f"{change:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
