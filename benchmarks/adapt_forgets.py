r"""What does a model that learned from one speaker lose on others, and in other languages?

    python benchmarks/adapt_forgets.py whisper-base --data ../shared/data/speech/manifest.jsonl

A third of a speaker's recordings teaches (as ``--adapt self``, kept in any case), and the model writes recordings of
all other speakers of ``adapt_decided.py``. At full precision, in the language of the recordings. Writes
``OUT/adapt_forgets_MODEL.csv``, a row a teacher and recording, goes on where it stopped, and prints a table.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adapt_decided import MOST, Heard, heard, row_errors, written
from adapt_decided_tables import CASES, PARTS
from adapt_pairs import change_of
from rows_file import read_rows, write_rows

from myqasr_fx.adapt.learn import learn
from myqasr_fx.adapt.reader import Reader
from myqasr_fx.evaluate import read_manifest
from myqasr_fx.measure.forced_run import ForcedRun
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import Prepared, prepare, with_parameters

EACH = 4
"""Recordings of every other speaker."""


@dataclass(frozen=True, slots=True)
class Row:
    """A recording of somebody from whom the model did not learn.

    Args:
        teacher: From whom it learned.
        taught: In which language.
        speaker: Whose the recording is.
        language: Of it.
        audio: File name.
        words: Of the reference.
        errors: Of the model as it came.
        errors_after: Of the one that learned.
    """

    teacher: str
    taught: str
    speaker: str
    language: str
    audio: str
    words: int
    errors: int
    errors_after: int


def main() -> None:
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"adapt_forgets_{Path(options.model).name}.csv"
    rows, prepared = read_rows(Row, path), prepare(load_model(options.model))
    utterances = read_manifest(options.data, {}, None)
    teachers = [name for name in CASES[Path(options.model).name] if name not in {row.teacher for row in rows}]
    everybody = CASES[Path(options.model).name] if teachers else ()
    spoken = {name: heard(prepared, utterances, name, range(EACH)) for name in everybody}
    for teacher in teachers:
        own = heard(prepared, utterances, teacher, range(0, MOST, PARTS))
        rows += forgotten(prepared, own, {name: items for name, items in spoken.items() if name != teacher}, teacher)
        write_rows(Row, path, rows)
    print(table(rows))


def forgotten(prepared: Prepared, own: Sequence[Heard], others: Mapping[str, list[Heard]], teacher: str) -> list[Row]:
    """Of one model that learned from its own recordings, a row a recording of the others."""
    reader, rows = Reader(ForcedRun(prepared)), []
    clips = [reader.clip(item.samples, item.said) for item in own]
    learned = with_parameters(prepared, learn(reader, clips, 0, lambda steps: None))
    for speaker, items in others.items():
        for item in items:
            said = written(learned, item.samples, item.utterance.lang)
            words, errors, after = row_errors(item.utterance, item.said.text, said.text)
            languages = own[0].utterance.lang, item.utterance.lang
            rows.append(Row(teacher, languages[0], speaker, languages[1], item.utterance.name, words, errors, after))
    return rows


def table(rows: Sequence[Row]) -> str:
    """In Markdown; intervals draw teachers, then recordings."""
    lines = ["| speech of others | before, % | after, % | difference, points |", "| --- | --- | --- | --- |"]
    for name, same in (("in the same language", True), ("in other languages", False)):
        chosen = [replace(row, speaker=row.teacher) for row in rows if (row.taught == row.language) is same]
        if chosen:
            change = change_of([(row, replace(row, errors=row.errors_after)) for row in chosen])
            lines.append(f"| {name} | {change} |")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a built-in model or a folder")
    parser.add_argument("--data", type=Path, required=True, help="manifest")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
