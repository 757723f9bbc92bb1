r"""Words and nats of bundles on all English that nothing was calibrated on or chosen by, and on development speech.

    python benchmarks/pooled_words.py whisper-tiny.en --data ../shared/data/speech/manifest.jsonl --full BUNDLE32 \
        --bundles BUNDLE20 BUNDLE16

Sixty utterances do not resolve a third of a point. So losses in words on ``TEST`` are pooled over its data sets, and
beside them stand nats, teacher-forced along what full precision writes, on ``dev``, the part of ``splits.json``
that settings are chosen on, as many recordings of each of its data sets. Sets of isolated words are left out: nobody
transcribes those. Writes ``OUT/pooled_words_MODEL.csv``, a row a system and utterance, and prints the tables; a system
that the file holds already, by the same bytes, is not heard again.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rows_file import read_rows, write_rows
from splits import CALIBRATION, DEV, Splits, digest, spread

from myqasr_fx.audio import load_audio
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.evaluate import ErrorCount, Utterance, difference_interval, evaluate, read_manifest
from myqasr_fx.evaluate.divergence import Divergence, ReferenceLogits
from myqasr_fx.evaluate.evaluator import spoken_language
from myqasr_fx.runtime import load_bundle

TEST = ("librispeech_test_other", "asterisk_core_en", "fleurs_cuttledoc")
DEV_SETS = (CALIBRATION, *DEV)


@dataclass(frozen=True, slots=True)
class Row:
    """What a system makes of one utterance: word errors; of development speech also nats and best tokens."""

    system: str
    sha256: str
    bytes: int
    dataset: str
    audio: str
    errors: int
    words: int
    nats: float
    same: int
    positions: int


def main() -> None:
    options = _options()
    utterances = chosen(read_manifest(options.data, {"lang": "en"}, None), options.dev)
    if options.only_dev:
        utterances = [utterance for utterance in utterances if utterance.fields["dataset"] in DEV_SETS]
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{'development' if options.only_dev else 'pooled'}_words_{options.model}.csv"
    kept = read_rows(Row, path)
    rows: list[Row] = []
    reference = cache(lambda: references(options.full, utterances))
    for name, folder in [("full precision", options.full), *((folder.name, folder) for folder in options.bundles)]:
        sha256 = digest_of(folder)
        known = [row for row in kept if (row.system, row.sha256) == (name, sha256)]
        rows += known or list(heard(name, folder, utterances, reference()))
        write_rows(Row, path, rows)
    print(table(rows))


def chosen(utterances: Sequence[Utterance], each: int) -> list[Utterance]:
    """All recordings of the test sets, and ``each`` of every development set.

    Raises:
        SystemExit: A test recording calibrates or is chosen by.
    """
    splits = Splits.read()
    seen = {*splits.calibration, *splits.dev}
    by_set = {name: [u for u in utterances if u.fields["dataset"] == name] for name in (*TEST, *DEV_SETS)}
    test = [utterance for name in TEST for utterance in by_set[name]]
    if strangers := [u.name for u in test if digest(u) in seen]:
        raise SystemExit(f"{len(strangers)} test recordings were used before, for example {strangers[0]}")
    calibration = set(splits.calibration)
    return test + [u for s in DEV_SETS for u in spread([u for u in by_set[s] if digest(u) not in calibration], each)]


def references(full: Path, utterances: Sequence[Utterance]) -> dict[Path, ReferenceLogits]:
    """What full precision makes of development speech."""
    runtime = load_bundle(full)
    told = [(u, spoken_language(runtime, u.lang)) for u in utterances if u.fields["dataset"] in DEV_SETS]
    return {u.audio: ReferenceLogits.of(runtime, load_audio(u.audio).samples, language) for u, language in told}


def heard(
    name: str, folder: Path, utterances: Sequence[Utterance], reference: Mapping[Path, ReferenceLogits]
) -> Iterator[Row]:
    """The rows of one system; words are counted where there are other sets than those of development."""
    runtime = load_bundle(folder)
    counted = any(utterance.fields["dataset"] in TEST for utterance in utterances)
    scores = (
        [score.words for score in evaluate(runtime, utterances).rows]
        if counted
        else [ErrorCount(0, 0)] * len(utterances)
    )
    sha256, size = digest_of(folder), QuantizedBundle.open(folder).manifest.model_bytes
    for utterance, words in zip(utterances, scores, strict=True):
        known = reference.get(utterance.audio)
        apart = known.compare(runtime) if known else Divergence()
        yield Row(
            *(name, sha256, size, str(utterance.fields["dataset"]), utterance.name),
            *(words.errors, words.total),
            *(round(apart.nats, 5), apart.same, apart.tokens),
        )


def digest_of(folder: Path) -> str:
    """Sixteen digits of the SHA-256 of a bundle's model files."""
    files = [folder / record.name for record in QuantizedBundle.open(folder).manifest.files]
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:16]


def table(rows: Sequence[Row]) -> str:
    """In Markdown: losses in points with 95 % intervals, utterances resampled in pairs, and nats."""
    systems = list(dict.fromkeys(row.system for row in rows))
    full = [row for row in rows if row.system == systems[0]]
    present = [name for name in TEST if any(row.dataset == name for row in full)]
    columns = [[name] for name in present] + ([list(present)] if present else [])
    heads = [
        "system",
        "bytes",
        *(f"{names[0] if len(names) == 1 else 'pooled'}, points" for names in columns),
        "dev, nats",
    ]
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join(['---'] * len(heads))} |"]
    for system in systems:
        own = [row for row in rows if row.system == system]
        cells = [f"{own[0].bytes:,}", *(_loss(own, full, names) for names in columns)]
        dev = [row for row in own if row.dataset not in TEST]
        nats = sum(row.nats for row in dev) / max(1, sum(row.positions for row in dev))
        lines.append(f"| {system} | {' | '.join(cells)} | {nats:.4f} |")
    return "\n".join(lines)


def _loss(own: Sequence[Row], full: Sequence[Row], sets: Sequence[str]) -> str:
    pairs = [(a, b) for a, b in zip(own, full, strict=True) if a.dataset in sets]
    words = [a.words for a, _ in pairs]
    rate = 100 * sum(a.errors for a, _ in pairs) / sum(words)
    if own[0].system == full[0].system:
        return f"{rate:.2f} % of {sum(words):,}"
    change = 100 * sum(a.errors - b.errors for a, b in pairs) / sum(words)
    around = difference_interval([a.errors for a, _ in pairs], [b.errors for _, b in pairs], words)
    return f"{change:+.2f} [{100 * around.low:+.2f}, {100 * around.high:+.2f}]"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="for the name of the file")
    parser.add_argument("--data", type=Path, required=True, help="manifest of all sets")
    parser.add_argument("--full", type=Path, required=True, help="bundle at 32 bits")
    parser.add_argument("--bundles", nargs="+", type=Path, required=True)
    parser.add_argument("--dev", type=int, default=16, help="recordings of each development set")
    parser.add_argument("--only-dev", action="store_true", help="nats alone, into OUT/development_words_MODEL.csv")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
