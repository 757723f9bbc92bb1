r"""What of a bundle is its speaker's: two people, the same budget, and each bundle on both.

    python benchmarks/two_speakers.py whisper-tiny.en --data ../shared/data/speech/manifest.jsonl \
        --speakers 4088 5652 --budgets 24MB 20MB 16MB

Every second recording of a speaker calibrates with the default options, the others test, by nats a token from full
precision, teacher-forced. Writes ``OUT/two_speakers_MODEL.csv``, a row a budget, bundle and test recording, and prints
for each budget how many layers have other widths, how many bytes of packed codes differ where the widths are the same,
and what a speaker loses with the other's bundle instead of the own one, with a 95 % interval over recordings.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from rows_file import write_rows

import myqasr_fx
from myqasr_fx.audio import load_audio
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.evaluate import Utterance, difference_interval, read_manifest
from myqasr_fx.evaluate.divergence import measure_divergence
from myqasr_fx.models.load import load_model
from myqasr_fx.runtime import load_bundle
from myqasr_fx.runtime.torch_runner import torch_runtime

CODES = (".codes", ".trellis")


@dataclass(frozen=True, slots=True)
class Row:
    """A test recording of a speaker on the bundle of one: nats, summed over positions, and the bundle's bytes."""

    budget: str
    bundle: str
    bytes: int
    speaker: str
    audio: str
    nats: float
    positions: int


def main() -> None:
    options = _options()
    utterances = read_manifest(options.data, {}, None)
    spoken = {name: [u for u in utterances if u.fields.get("speaker") == name] for name in options.speakers}
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for budget in options.budgets:
        bundles = {name: made(options, budget, name, spoken[name][::2]) for name in options.speakers}
        for name, path in bundles.items():
            for speaker in options.speakers:
                rows += heard(options, (budget, name, path), speaker, spoken[speaker][1::2])
        write_rows(Row, options.out / f"two_speakers_{options.model}.csv", rows)
        print(f"{budget}: {differing(*bundles.values())}; {told([row for row in rows if row.budget == budget])}")


def made(options: argparse.Namespace, budget: str, speaker: str, clips: Sequence[Utterance]) -> Path:
    """The speaker's bundle."""
    out = options.work / f"{options.model} {speaker} {budget}"
    if not out.exists():
        audio = [clip.audio for clip in clips]
        myqasr_fx.quantize(options.model, audio, budget=budget, out=out, cache=options.work / f"cache {speaker}")
    return out


def heard(
    options: argparse.Namespace, bundle: tuple[str, str, Path], speaker: str, clips: Sequence[Utterance]
) -> Iterator[Row]:
    """How far a bundle is from full precision on recordings of a speaker."""
    budget, name, path = bundle
    speech = load_model(options.model)
    reference, candidate = torch_runtime(speech, speech.capture()), load_bundle(path)
    size = QuantizedBundle.open(path).manifest.model_bytes
    for clip in clips:
        apart = measure_divergence(reference, candidate, [load_audio(clip.audio).samples], None)
        yield Row(budget, name, size, speaker, clip.name, round(apart.nats, 5), apart.tokens)


def differing(first: Path, second: Path) -> str:
    """Layers of other widths, and the share of bytes of codes that differ where they are the same."""
    manifests = [QuantizedBundle.open(path).manifest for path in (first, second)]
    widths = [{layer.name: [b.bits for b in layer.blocks] for layer in m.layers if layer.blocks} for m in manifests]
    others = sum(widths[0][name] != widths[1][name] for name in widths[0])
    codes = [dict(_codes(path)) for path in (first, second)]
    same = [name for name, values in codes[0].items() if codes[1].get(name, np.empty(0)).shape == values.shape]
    apart = sum(int((codes[0][name] != codes[1][name]).sum()) for name in same)
    total = sum(codes[0][name].size for name in same)
    return f"{others} of {len(widths[0])} layers have other widths, {apart / total:.0%} of bytes of like codes differ"


def _codes(bundle: Path) -> Iterator[tuple[str, np.ndarray]]:
    for file in QuantizedBundle.open(bundle).manifest.files:
        for tensor in onnx.load(bundle / file.name).graph.initializer:
            if any(kind in tensor.name for kind in CODES):
                yield tensor.name, np.frombuffer(numpy_helper.to_array(tensor).tobytes(), np.uint8)


def told(rows: Sequence[Row]) -> str:
    """Nats on the own and on the other's bundle, of each speaker and of both."""
    speakers = list(dict.fromkeys(row.speaker for row in rows))
    rows, parts = sorted(rows, key=lambda row: (row.speaker, row.audio)), []  # the same order on either bundle
    for name, chosen in [*((name, [name]) for name in speakers), ("both", speakers)]:
        own = [row for row in rows if row.speaker in chosen and row.bundle == row.speaker]
        other = [row for row in rows if row.speaker in chosen and row.bundle != row.speaker]
        positions = [row.positions for row in own]
        means = [sum(row.nats for row in part) / sum(positions) for part in (own, other)]
        around = difference_interval([row.nats for row in own], [row.nats for row in other], positions)
        gap = f"{means[0] - means[1]:+.4f} [{around.low:+.4f}, {around.high:+.4f}]"
        parts.append(f"{name} {means[0]:.4f} with the own, {means[1]:.4f} with the other's ({gap})")
    return "; ".join(parts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a built-in model")
    parser.add_argument("--data", type=Path, required=True, help="manifest")
    parser.add_argument("--speakers", nargs=2, required=True)
    parser.add_argument("--budgets", nargs="+", default=["24MB", "20MB", "16MB"])
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "myqasr-two-speakers")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
