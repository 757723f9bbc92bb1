r"""What a delta costs and gives: a cohort's bundle, a user's own, and the user's delta of the cohort's.

    python benchmarks/delta.py whisper-tiny.en --data ../shared/data/speech/manifest.jsonl --budget 24MB \
        --dataset librispeech_train_clean_100 --speakers 4088 8226
    python benchmarks/delta.py ../shared/models/w2v2-digits --data ../shared/data/digits/manifest.jsonl --budget 600KB

For each speaker, the base is quantized for the recordings of all other speakers of the set, the own bundle and the
delta for the speaker's own, and all three are compared with full precision on other recordings of the speaker,
teacher-forced. Where the manifest has a ``split``, ``calib`` calibrates and ``test`` tests, else every second one does.
Seconds are those of the processor. Adds rows to ``OUT/delta.csv`` and prints the table of all.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rows_file import read_rows, write_rows

import myqasr_fx
from myqasr_fx.audio import load_audio
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.evaluate import Utterance, read_manifest
from myqasr_fx.evaluate.divergence import divergence_of
from myqasr_fx.models.load import load_model
from myqasr_fx.runtime import Runtime, load_bundle
from myqasr_fx.runtime.torch_runner import torch_runtime

BASE, OWN, DELTA = "base", "own", "delta"


@dataclass(frozen=True, slots=True)
class Row:
    """One bundle on a speaker's test recordings.

    Args:
        model, budget, speaker: Whose.
        bundle: base, own or delta.
        bytes: Of its model files.
        sent: Of what whoever has the base needs to have it.
        seconds: Of the processor; 0 where it was there already.
        clips, positions: Of the test.
        same: Positions with the same best token as at full precision.
        nats: A position from full precision.
    """

    model: str
    budget: str
    speaker: str
    bundle: str
    bytes: int
    sent: int
    seconds: float
    clips: int
    positions: int
    same: int
    nats: float


def main() -> None:
    options = _options()
    everything = [u for u in read_manifest(options.data, {}, None) if options.dataset in (None, u.fields["dataset"])]
    spoken: dict[str, list[Utterance]] = {str(u.fields["speaker"]): [] for u in everything}
    for utterance in everything:
        spoken[str(utterance.fields["speaker"])].append(utterance)
    options.work.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    path, name = options.out / "delta.csv", Path(options.model).name
    for speaker in options.speakers or spoken:
        rows = read_rows(Row, path)
        if not any((row.model, row.budget, row.speaker) == (name, options.budget, speaker) for row in rows):
            write_rows(Row, path, [*rows, *measured(options, speaker, spoken)])
    print(table(read_rows(Row, path)))


def measured(options: argparse.Namespace, speaker: str, spoken: dict[str, list[Utterance]]) -> Iterator[Row]:
    """The rows of one speaker."""
    others = [clip for name, clips in spoken.items() if name != speaker for clip in calibrating(clips)]
    mine, test = calibrating(spoken[speaker]), [c for c in spoken[speaker] if c not in calibrating(spoken[speaker])]
    name = Path(options.model).name
    base = options.work / f"{name} {options.budget} {speaker} {BASE}"
    seconds = {BASE: 0.0 if base.exists() else made(options, base, others, budget=options.budget)}
    folders = {BASE: base, **{kind: base.with_name(base.name.replace(BASE, kind)) for kind in (OWN, DELTA)}}
    seconds[OWN] = made(options, folders[OWN], mine, budget=options.budget)
    seconds[DELTA] = made(options, folders[DELTA], mine, delta=base)
    heard = expected(options.model, [load_audio(clip.audio).samples for clip in test])
    for kind, folder in folders.items():
        size = QuantizedBundle.open(folder).manifest.model_bytes
        sent = size if kind != DELTA else sum(path.stat().st_size for path in (folder / "delta").iterdir())
        positions, same, nats = apart(load_bundle(folder), heard)
        counts = (size, sent, round(seconds[kind], 1), len(test), positions, same)
        yield Row(name, options.budget, speaker, kind, *counts, round(nats / positions, 6))


def calibrating(clips: Sequence[Utterance]) -> list[Utterance]:
    """Those of a speaker that calibrate."""
    if "split" in clips[0].fields:
        return [clip for clip in clips if clip.fields["split"] == "calib"]
    return list(clips[::2])


def made(options: argparse.Namespace, out: Path, clips: Sequence[Utterance], **how: object) -> float:
    """Seconds of the processor that a bundle took."""
    start = time.process_time()
    myqasr_fx.quantize(options.model, [clip.audio for clip in clips], out=out, force=True, **how)  # type: ignore[arg-type]
    return time.process_time() - start


Heard = list[tuple[np.ndarray, tuple[int, ...], str | None, np.ndarray]]
"""Samples, what full precision writes for them in which language, and its logits for that."""


def expected(model: str, clips: Sequence[np.ndarray]) -> Heard:
    """What the full-precision model says."""
    speech = load_model(model)
    full = torch_runtime(speech, speech.capture())
    found = []
    for clip in clips:
        (said,) = full.transcribe_batch([clip], None)
        found.append((clip, said.tokens, said.language, full.logits(clip, said.tokens, said.language)))
    return found


def apart(runtime: Runtime, heard: Heard) -> tuple[int, int, float]:
    """Positions, those with the same best token, and nats of all together."""
    positions, same, nats = 0, 0, 0.0
    for clip, tokens, language, logits in heard:
        found = runtime.logits(clip, tokens, language)
        positions += len(logits)
        same += int((logits.argmax(-1) == found.argmax(-1)).sum())
        nats += float(divergence_of(logits, found).sum())
    return positions, same, nats


def table(rows: Sequence[Row]) -> str:
    """Markdown, a line a speaker."""
    users: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows:
        users.setdefault((row.model, row.budget, row.speaker), {})[row.bundle] = row
    heads = ("model, bytes", "speaker", "nats: base, own, delta", "delta beside own", "tokens as at full precision")
    heads = (*heads, "bytes of the delta", "processor time beside own")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for (model, budget, speaker), found in users.items():
        _, own, delta = bundles = [found[kind] for kind in (BASE, OWN, DELTA)]
        cells = (
            f"{model}, {budget}",
            speaker,
            ", ".join(f"{row.nats:.5f}" for row in bundles),
            f"{delta.nats / own.nats:.2f}",
            ", ".join(f"{row.same / row.positions:.2%}" for row in bundles),
            f"{delta.sent:,} ({delta.sent / delta.bytes:.1%})",
            f"{delta.seconds / own.seconds:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a folder or a built-in model")
    parser.add_argument("--data", type=Path, required=True, help="manifest with speakers")
    parser.add_argument("--budget", required=True, help="of every bundle")
    parser.add_argument("--dataset", help="of the manifest; all of it without")
    parser.add_argument("--speakers", nargs="+", help="users; all without")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "myqasr-delta", help="bundles")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
