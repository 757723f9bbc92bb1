r"""How long bundles of a CTC model take by length of the recording, beside full precision, in turns on an idle machine.

    python benchmarks/ctc_speed.py --data ../shared/data/digits/manifest.jsonl --full BUNDLE32 --bundles BUNDLE…

Recordings are joined and cut to pieces of each length. In every round each bundle transcribes the same
pieces, loaded once; the first round is not counted. ``ratio`` is the median over rounds of its time to full
precision's of the same round, ``apart`` the words that differ from full precision's. Writes ``OUT/ctc_speed_NAME.csv``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rows_file import write_rows

from myqasr_fx.acceptance.compare import word_edits
from myqasr_fx.audio import load_audio
from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.evaluate import parse_filters, read_manifest
from myqasr_fx.runtime import OrtSettings, Runtime, load_bundle


@dataclass(frozen=True, slots=True)
class Row:
    """One bundle at one length.

    Args:
        length: Seconds of a piece.
        bundle: Folder name.
        bytes: Of its model file.
        pieces: How many.
        seconds: Of a round, the median.
        ratio: To full precision's.
        words: That full precision writes.
        apart: Of them, in edits.
    """

    length: float
    bundle: str
    bytes: int
    pieces: int
    seconds: float
    ratio: float
    words: int
    apart: int


def main() -> None:
    options = _options()
    settings = OrtSettings(threads=options.threads)
    bundles = {path.name: load_bundle(path, settings) for path in (options.full, *options.bundles)}
    sizes = {path.name: (path / "model.onnx").stat().st_size for path in (options.full, *options.bundles)}
    sound = _sound(options)
    rows = [
        row
        for length in options.seconds
        for row in measured(bundles, sizes, pieces(sound, length, options.most), (length, options.rounds))
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    write_rows(Row, options.out / f"ctc_speed_{options.name}.csv", rows)
    print(*table(rows), sep="\n")


def pieces(sound: np.ndarray, seconds: float, most: int) -> list[np.ndarray]:
    """At most ``most`` whole pieces of a sound, one behind the other."""
    size = round(seconds * SAMPLING_RATE)
    return [sound[start : start + size] for start in range(0, len(sound) - size + 1, size)][:most]


def measured(
    bundles: dict[str, Runtime], sizes: dict[str, int], cut: Sequence[np.ndarray], asked: tuple[float, int]
) -> Iterator[Row]:
    """Rows of all bundles at a length; the first bundle is full precision.

    Args:
        bundles: By name.
        sizes: Their bytes.
        cut: Pieces.
        asked: Seconds of a piece, and rounds to count.
    """
    length, rounds = asked
    taken: dict[str, list[float]] = {name: [] for name in bundles}
    said: dict[str, list[str]] = {}
    for _ in range(rounds + 1):
        for name, runtime in bundles.items():
            start = time.perf_counter()
            said[name] = [runtime.transcribe(piece).text for piece in cut]
            taken[name].append(time.perf_counter() - start)
    full = next(iter(bundles))
    for name in bundles:
        mine, base = taken[name][1:], taken[full][1:]
        ratio = statistics.median(one / other for one, other in zip(mine, base, strict=True))
        edits = [word_edits(text, other) for text, other in zip(said[full], said[name], strict=True)]
        apart = sum(one.substitutions + one.deletions + one.insertions for one in edits)
        words = sum(len(text.split()) for text in said[full])
        found = len(cut), round(statistics.median(mine), 4), round(ratio, 3)
        yield Row(length, name, sizes[name], *found, words, apart)


def table(rows: Sequence[Row]) -> list[str]:
    """Lines of a Markdown table: a bundle a line, ratios by length, and the words that differ over all lengths."""
    lengths = sorted({row.length for row in rows})
    names = ["bundle", "MB", *(f"{length:g} s" for length in lengths), "words apart"]
    lines = [f"| {' | '.join(names)} |", f"{'| --- ' * len(names)}|"]
    for name in dict.fromkeys(row.bundle for row in rows):
        mine = {row.length: row for row in rows if row.bundle == name}
        ratios = [f"{mine[length].ratio:.2f}" for length in lengths]
        apart, words = sum(row.apart for row in mine.values()), sum(row.words for row in mine.values())
        size = f"{mine[lengths[0]].bytes / 1e6:.2f}"
        lines.append(f"| {' | '.join([name, size, *ratios, f'{apart} of {words:,}'])} |")
    return lines


def _sound(options: argparse.Namespace) -> np.ndarray:
    """All recordings, joined."""
    test = read_manifest(options.data, parse_filters(options.test))
    return np.concatenate([load_audio(one.audio).samples for one in test])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest")
    parser.add_argument("--test", nargs="+", metavar="KEY=VALUE", default=["split=test"])
    parser.add_argument("--seconds", type=float, nargs="+", default=[2, 5, 10, 20, 30])
    parser.add_argument("--most", type=int, default=8, help="pieces of a length")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--full", type=Path, required=True, help="bundle at 32 bits")
    parser.add_argument("--bundles", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--name", default="w2v2-digits")
    return parser.parse_args()


if __name__ == "__main__":
    main()
