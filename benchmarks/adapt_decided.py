r"""Does a measure without labels tell when learning helped a model? Tried on speakers that it was not found on.

    python benchmarks/adapt_decided.py whisper-base --data ../shared/data/speech/manifest.jsonl

Of each speaker's recordings a third teaches the model (as ``--adapt self``), a third decides whether it is adopted,
and on a third words are counted; the thirds take turns. At full precision, in the language of the recordings. Writes
``OUT/adapt_decided_MODEL.csv``, a row a recording, and goes on where it stopped; ``adapt_decided_tables.py`` prints the
tables of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from adapt_decided_tables import CASES, PARTS, Row, tables
from rows_file import read_rows, write_rows
from splits import spread

from myqasr_fx.adapt.adapt import CHANGES
from myqasr_fx.adapt.changed_audio import changed
from myqasr_fx.adapt.learn import learn
from myqasr_fx.adapt.reader import Reader
from myqasr_fx.audio import load_audio
from myqasr_fx.evaluate import Utterance, read_manifest
from myqasr_fx.evaluate.wer import normalize, without_diacritics, word_errors
from myqasr_fx.measure.forced_run import ForcedRun
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import Prepared, prepare, with_parameters
from myqasr_fx.runtime import Transcript
from myqasr_fx.runtime.torch_runner import torch_runtime

MOST = 36
"""Recordings of a speaker, evenly spread."""

UNACCENTED = ("asterisk_core_es", "asterisk_core_fr")
"""Datasets whose texts partly lack accents."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A recording, the same one changed, and what the model as it came writes for it."""

    utterance: Utterance
    samples: np.ndarray
    changed: tuple[np.ndarray, ...]
    said: Transcript


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Of the distributions along a text, summed: entropy, and divergence from those on the recording changed; nats."""

    said: Transcript
    positions: int
    entropy: float
    apart: float


def main() -> None:
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"adapt_decided_{Path(options.model).name}.csv"
    rows, prepared = read_rows(Row, path), prepare(load_model(options.model))
    utterances = read_manifest(options.data, {}, None)
    for speaker in CASES[Path(options.model).name]:
        done = {row.part for row in rows if row.speaker == speaker}
        if left := [part for part in range(PARTS) if part not in done]:
            spoken = heard(prepared, utterances, speaker)
            before = [measured(prepared, item, item.said) for item in spoken]
            for part in left:
                rows += tried(prepared, spoken, before, part)
                write_rows(Row, path, rows)
    print(tables(rows))


def heard(
    prepared: Prepared, utterances: Sequence[Utterance], speaker: str, places: Container[int] = range(MOST)
) -> list[Heard]:
    """A speaker's recordings in a seeded order, those at ``places`` of it."""
    own = [utterance for utterance in utterances if utterance.fields.get("speaker") == speaker]
    chosen, generator = spread(own, MOST), np.random.default_rng(0)
    ordered = [chosen[index] for index in generator.permutation(len(chosen))]
    found = []
    for place, utterance in enumerate(ordered):
        samples = load_audio(utterance.audio).samples
        others = tuple(changed(samples, generator) for _ in range(CHANGES))
        if place in places:
            found.append(Heard(utterance, samples, others, written(prepared, samples, utterance.lang)))
    return found


def written(prepared: Prepared, samples: np.ndarray, language: str) -> Transcript:
    """In a context of 30 s."""
    (said,) = torch_runtime(prepared.speech, prepared.program).transcribe_batch([samples], language)
    return said


def measured(prepared: Prepared, item: Heard, said: Transcript) -> Measured:
    """What a model expects along a text of its own."""
    reader = Reader(ForcedRun(prepared))
    with torch.no_grad():
        found = reader.expected(reader.clip(item.samples, said))
        beside = torch.stack([reader.expected(reader.clip(each, said)) for each in item.changed])
    entropy, apart = -(found.exp() * found).sum(), (found.exp() * (found - beside)).sum() / len(beside)
    return Measured(said, len(found), float(entropy), float(apart))


def tried(prepared: Prepared, spoken: Sequence[Heard], before: Sequence[Measured], part: int) -> list[Row]:
    """Learns from one third, and hears the others."""
    reader, rows = Reader(ForcedRun(prepared)), []
    own = [reader.clip(item.samples, item.said) for item in spoken[part::PARTS]]
    learned = with_parameters(prepared, learn(reader, own, 0, lambda steps: None))
    for index, (item, came) in enumerate(zip(spoken, before, strict=True)):
        role = (index - part) % PARTS
        if role:
            said = written(learned, item.samples, item.utterance.lang)
            rows.append(row_of(part, role, item, came, measured(learned, item, said)))
    return rows


def row_of(part: int, role: int, item: Heard, came: Measured, now: Measured) -> Row:
    """One recording."""
    utterance = item.utterance
    return Row(
        *(str(utterance.fields["dataset"]), utterance.lang, str(utterance.fields["speaker"]), part, role),
        *(utterance.name, *row_errors(utterance, came.said.text, now.said.text), came.positions, now.positions),
        *(round(value, 4) for value in (came.entropy, now.entropy, came.apart, now.apart)),
    )


def row_errors(utterance: Utterance, *texts: str) -> tuple[int, ...]:
    """Words of the reference, and the word errors of each text."""
    normalizer = without_diacritics(normalize) if utterance.fields["dataset"] in UNACCENTED else normalize
    reference, *found = (normalizer(text, utterance.lang) for text in (utterance.text, *texts))
    counts = [word_errors(reference, text) for text in found]
    return (counts[0].total, *(count.errors for count in counts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a built-in model or a folder")
    parser.add_argument("--data", type=Path, required=True, help="manifest")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
