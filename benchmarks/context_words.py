r"""Words of whole recordings that bundles of ``--context speech`` write, hearing speech and hearing 30 s.

    python benchmarks/context_words.py --data ../shared/data/speech/manifest.jsonl --bundles BUNDLE… \
        --test lang=en --datasets librispeech_test_other arctic_kathleen speechocean762

Recordings that ``splits.json`` calibrates on are left out, Each
bundle hears each recording in both ways in turns. A loop is a text with a compression ratio above 2.4 where that in
30 s has none. Writes ``OUT/context_words_NAME.csv``, a row a bundle and recording; a bundle that the file holds already
is not heard again.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from context import LOOP
from rows_file import read_rows, write_rows
from splits import Splits, digest

from myqasr_fx.audio import load_audio
from myqasr_fx.evaluate import Utterance, difference_interval, normalize, read_manifest, word_errors
from myqasr_fx.evaluate.evaluator import spoken_language
from myqasr_fx.runtime import Context, WhisperRuntime, load_bundle


@dataclass(frozen=True, slots=True)
class Row:
    """What a bundle writes of one recording.

    Args:
        bundle: Name of its folder.
        dataset: Of the recording.
        audio: Name of it.
        words: In its text.
        errors: Hearing speech.
        errors_30: Hearing 30 s.
        loop: 1 where the text repeats itself and that of 30 s does not.
        again: 1 where the runtime heard it in 30 s after all.
        seconds: Hearing speech.
        seconds_30: Hearing 30 s.
    """

    bundle: str
    dataset: str
    audio: str
    words: int
    errors: int
    errors_30: int
    loop: int
    again: int
    seconds: float
    seconds_30: float


def main() -> None:
    options = _options()
    filters = dict(part.split("=", 1) for part in options.test)
    known = set(Splits.read().calibration)
    utterances = [
        utterance
        for utterance in read_manifest(options.data, filters, None)
        if utterance.fields["dataset"] in options.datasets and digest(utterance) not in known
    ]
    path = options.out / f"context_words_{options.name}.csv"
    options.out.mkdir(parents=True, exist_ok=True)
    rows = read_rows(Row, path)
    for folder in options.bundles:
        if folder.name not in {row.bundle for row in rows}:
            rows += list(heard(folder, utterances))
            write_rows(Row, path, rows)
    print(table(rows))


def heard(folder: Path, utterances: Sequence[Utterance]) -> Iterator[Row]:
    """The rows of one bundle."""
    short = load_bundle(folder)
    assert isinstance(short, WhisperRuntime) and short.context.margin is not None
    whole = replace(short, context=Context.of(short.context.silence))
    for utterance in utterances:
        samples, language = load_audio(utterance.audio).samples, spoken_language(short, utterance.lang)
        said, taken = [], []
        for runtime in (short, whole):
            start = time.perf_counter()
            said += runtime.transcribe_batch([samples], language)
            taken.append(round(time.perf_counter() - start, 4))
        text = normalize(utterance.text, utterance.lang)
        errors = [word_errors(text, normalize(each.text, utterance.lang)) for each in said]
        yield Row(
            *(folder.name, str(utterance.fields["dataset"]), utterance.name),
            *(errors[0].total, errors[0].errors, errors[1].errors),
            int(said[0].compression_ratio > LOOP >= said[1].compression_ratio),
            int(said[0].heard_again > 0),
            *taken,
        )


def table(rows: Sequence[Row]) -> str:
    """In Markdown, a line for each bundle and data set, and one for each bundle; intervals resample recordings."""
    lines = [
        "| bundle | recordings | words wrong in 30 s | hearing speech, points | new loops | heard again | time |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for bundle, found in itertools.groupby(rows, lambda row: row.bundle):
        whole = list(found)
        sets = list(dict.fromkeys(row.dataset for row in whole))
        for name in [*sets, "all"] if len(sets) > 1 else sets:
            own = [row for row in whole if name in (row.dataset, "all")]
            words = [row.words for row in own]
            errors, known = [row.errors for row in own], [row.errors_30 for row in own]
            around = difference_interval(errors, known, words)
            change = f"{100 * (sum(errors) - sum(known)) / sum(words):+.2f} "
            change += f"[{100 * around.low:+.2f}, {100 * around.high:+.2f}]"
            part = sum(row.seconds for row in own) / sum(row.seconds_30 for row in own)
            told = (f"{bundle}, {name}", f"{len(own)}", f"{100 * sum(known) / sum(words):.2f} % of {sum(words):,}")
            loops, again = sum(row.loop for row in own), sum(row.again for row in own)
            lines.append(f"| {' | '.join((*told, change, str(loops), str(again), f'{part:.2f}'))} |")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest of the recordings")
    parser.add_argument("--bundles", type=Path, nargs="+", required=True, help="made with --context speech")
    parser.add_argument("--test", nargs="*", default=[], help="filters, such as lang=en")
    parser.add_argument("--datasets", nargs="+", required=True, help="their names")
    parser.add_argument("--name", default="whisper-tiny.en", help="of the CSV file")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
