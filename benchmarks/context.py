r"""How long Whisper takes for clips of several lengths, and what it writes, in contexts shorter than 30 s.

    python benchmarks/context.py --data ../shared/data/speech/manifest.jsonl --test dataset=librispeech_test_other \
        --cut BUNDLE --counted BUNDLE

Recordings of a speaker are joined in their order and cut into clips of each length. Ways: ``full``, 30 s; ``exact``,
the clip alone; ``cut``, with 2.6 s of silence behind it and 10.2 s at least; all with ``--cut``, a bundle that was
made without ``--context speech``. ``counted``: as ``--counted`` asks for, which was made with it, beside ``counted,
full``. No way hears a clip again. Words are compared with what the same bundle writes in 30 s, times with what it
takes for that: all ways take turns for every clip, in one process. Loops are texts with a compression ratio above 2.4
where that in 30 s has none. Writes ``OUT/context_NAME.csv``, a row a clip and way.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rows_file import write_rows

from myqasr_fx.audio import load_audio
from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.evaluate import Utterance, normalize, read_manifest, word_errors
from myqasr_fx.runtime import Context, Transcript, WhisperRuntime, load_bundle
from myqasr_fx.runtime.context import USUAL_MARGIN
from myqasr_fx.runtime.no_speech import USUAL

LENGTHS = (2, 5, 10, 20, 30)
FULL = "full"
LOOP = USUAL.compression_ratio_threshold


@dataclass(frozen=True, slots=True)
class Row:
    """One clip, heard in one way.

    Args:
        length: Seconds of the clip.
        clip: Its number.
        way: As above.
        words: That the same bundle writes in 30 s.
        changed: Words that differ from those, left out and added.
        loop: 1 where the text repeats itself and that in 30 s does not.
        seconds: That it took.
    """

    length: int
    clip: int
    way: str
    words: int
    changed: int
    loop: int
    seconds: float


def main() -> None:
    options = _options()
    cut, counted = load_bundle(options.cut), load_bundle(options.counted)
    assert isinstance(cut, WhisperRuntime) and isinstance(counted, WhisperRuntime)
    runtimes = {
        FULL: replace(cut, context=Context()),
        "exact": replace(cut, context=Context(0, least=0, fallback=False)),
        "cut": replace(cut, context=Context(USUAL_MARGIN, fallback=False)),
        "counted, full": replace(counted, context=Context.of(counted.context.silence)),
        "counted": replace(counted, context=replace(counted.context, fallback=False)),
    }
    filters = dict(part.split("=", 1) for part in options.test)
    utterances = read_manifest(options.data, filters, None)
    rows = [row for length in LENGTHS for row in _heard(runtimes, utterances, length, options)]
    options.out.mkdir(parents=True, exist_ok=True)
    write_rows(Row, options.out / f"context_{options.name}.csv", rows)
    for line in table(rows):
        print(line)


def _heard(
    runtimes: dict[str, WhisperRuntime], utterances: Sequence[Utterance], length: int, options: argparse.Namespace
) -> Iterator[Row]:
    for number, clip in enumerate(itertools.islice(clips_of(utterances, length), options.clips)):
        said: dict[str, Transcript] = {}
        seconds: dict[str, float] = {}
        for way, runtime in runtimes.items():
            start = time.perf_counter()
            (said[way],) = runtime.transcribe_batch([clip], options.language)
            seconds[way] = time.perf_counter() - start
        for way, text in said.items():
            known = said[_base(way)]
            errors = word_errors(normalize(known.text), normalize(text.text))
            loop = int(text.compression_ratio > LOOP >= known.compression_ratio)
            yield Row(length, number, way, errors.total, errors.errors, loop, round(seconds[way], 4))


def clips_of(utterances: Sequence[Utterance], length: int) -> Iterator[np.ndarray]:
    """Clips of so many seconds, of one speaker each."""
    size = length * SAMPLING_RATE
    for _, own in itertools.groupby(utterances, lambda utterance: utterance.fields.get("speaker")):
        whole = np.concatenate([load_audio(utterance.audio).samples for utterance in own])
        yield from (whole[start : start + size] for start in range(0, len(whole) - size + 1, size))


def table(rows: Sequence[Row]) -> list[str]:
    """A Markdown table: a line for each length and way."""
    lines = [
        "| seconds | way | clips | time beside 30 s | changed words | loops |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (length, way), own in itertools.groupby(sorted(rows, key=_place), lambda row: (row.length, row.way)):
        found = list(own)
        known = {row.clip: row.seconds for row in rows if (row.length, row.way) == (length, _base(way))}
        ratio = float(np.median([row.seconds / known[row.clip] for row in found]))
        changed = sum(row.changed for row in found) / max(1, sum(row.words for row in found))
        loops = sum(row.loop for row in found)
        lines.append(f"| {length} | {way} | {len(found)} | {ratio:.2f} | {changed:.1%} | {loops} |")
    return lines


def _base(way: str) -> str:
    """The same bundle in 30 s."""
    return "counted, full" if way.startswith("counted") else FULL


def _place(row: Row) -> tuple[int, str]:
    return row.length, row.way


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest of the recordings")
    parser.add_argument("--test", nargs="*", default=[], help="filters, such as dataset=librispeech_test_other")
    parser.add_argument("--cut", type=Path, required=True, help="bundle without counted silence")
    parser.add_argument("--counted", type=Path, required=True, help="bundle of --context speech")
    parser.add_argument("--clips", type=int, default=40, help="at most, of each length")
    parser.add_argument("--language", help="of the recordings, for a multilingual model")
    parser.add_argument("--name", default="whisper-tiny.en", help="of the CSV file")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
