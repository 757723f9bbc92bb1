r"""Do the files keep what a model learned? Words of one person's bundles, with and without ``--adapt self``.

    python benchmarks/adapt_files.py whisper-base 36MB --data ../shared/data/speech/manifest.jsonl \
        --speakers nathalie AllisonSmith_es

Three fifths of a person's recordings, at most 32, are given to ``quantize`` with the default options in their language;
words are counted on at most 24 of the others, of the model as it came in torch and of the bundles on onnxruntime.
Writes ``OUT/adapt_files_MODEL_BUDGET.csv``, a row a recording and model, goes on where it stopped, and prints a table.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from adapt_decided import UNACCENTED
from adapt_decided_tables import GROUPS
from adapt_pairs import change_of
from rows_file import read_rows, write_rows

import myqasr_fx
from myqasr_fx.adapt.changed_audio import noisy
from myqasr_fx.audio import load_audio
from myqasr_fx.evaluate import Utterance, read_manifest
from myqasr_fx.evaluate.wer import normalize, normalize_plain, without_diacritics, word_errors
from myqasr_fx.models.load import load_model
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Decoding, Runtime, WhisperRuntime, load_bundle, with_decoding
from myqasr_fx.runtime.torch_runner import torch_runtime

Heard = tuple[Utterance, np.ndarray]

FULL, PLAIN, LEARNED = "full precision", "none", "self"
"""The model as it came, and the values of ``--adapt``."""

GIVEN, COUNTED = 32, 24
SHARE = 0.6
"""Of a person's recordings, given to ``quantize``."""


@dataclass(frozen=True, slots=True)
class Row:
    """A recording as one model writes it.

    Args:
        speaker: Whose it is.
        model: ``FULL``, ``PLAIN`` or ``LEARNED``.
        bytes: Of the model files; 0 for the model as it came.
        adopted: 1 where the files are those of a model that has learned.
        audio: File name.
        errors: Word errors.
        words: Of the reference.
    """

    speaker: str
    model: str
    bytes: int
    adopted: int
    audio: str
    errors: int
    words: int


def main() -> None:
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    noise = "" if options.noise is None else f"_{options.noise:g}dB"
    path = options.out / f"adapt_files_{Path(options.model).name}_{options.budget}{noise}.csv"
    rows, utterances = read_rows(Row, path), read_manifest(options.data, {}, None)
    speech = load_model(options.model)
    for speaker in options.speakers:
        if speaker not in {row.speaker for row in rows}:
            rows += tried(
                speech, options.budget, [loaded(half, options.noise) for half in shared_out(utterances, speaker)]
            )
            write_rows(Row, path, rows)
    print(table(rows))


def shared_out(utterances: Sequence[Utterance], speaker: str) -> tuple[list[Utterance], list[Utterance]]:
    """Recordings to give and to count on, in a seeded order."""
    own = [u for u in utterances if u.fields.get("speaker") == speaker and u.fields.get("split") in (None, "test")]
    ordered = [own[index] for index in np.random.default_rng(0).permutation(len(own))]
    given = min(GIVEN, int(SHARE * len(ordered)))
    return ordered[:given], ordered[given:][:COUNTED]


def loaded(utterances: Sequence[Utterance], noise: float | None) -> list[Heard]:
    """With white noise so many decibels below each."""
    generator = np.random.default_rng(0)
    samples = [load_audio(utterance.audio).samples for utterance in utterances]
    heard = samples if noise is None else [noisy(each, noise, generator) for each in samples]
    return list(zip(utterances, heard, strict=True))


def tried(speech: SpeechModel, budget: str, halves: Sequence[Sequence[Heard]]) -> list[Row]:
    """The model as it came, and the bundles of one person."""
    given, counted = halves
    rows = heard(with_decoding(torch_runtime(speech, speech.capture()), Decoding()), counted, FULL, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        for adapt in (PLAIN, LEARNED):
            bundle = myqasr_fx.quantize(
                speech,
                [samples for _, samples in given],
                budget,
                out=Path(folder) / adapt,
                language=given[0][0].lang if speech.generation else None,
                adapt=adapt,
            )
            record = bundle.manifest.adaptation
            adopted = int(record is not None and record.adopted)
            rows += heard(load_bundle(bundle.path), counted, adapt, bundle.manifest.model_bytes, adopted)
    return rows


def heard(runtime: Runtime, recordings: Sequence[Heard], model: str, size: int, adopted: int) -> list[Row]:
    """Word errors on every recording."""
    rows = []
    whisper = isinstance(runtime, WhisperRuntime)
    for utterance, samples in recordings:
        (said,) = runtime.transcribe_batch([samples], utterance.lang if whisper else None)
        normalizer = normalize if whisper else normalize_plain
        if utterance.fields["dataset"] in UNACCENTED:
            normalizer = without_diacritics(normalizer)
        errors = word_errors(*(normalizer(text, utterance.lang) for text in (utterance.text, said.text)))
        speaker = str(utterance.fields["speaker"])
        rows.append(Row(speaker, model, size, adopted, utterance.name, errors.errors, errors.total))
    return rows


def table(rows: Sequence[Row]) -> str:
    """In Markdown: word errors and what learning changes, for each group; intervals draw speakers, then recordings."""
    lines = [
        "| speakers | learned | full precision, % | plain, % | adapt self, % | to plain, points | to full precision |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    learned = {row.speaker for row in rows if row.adopted}
    for name, group in (*GROUPS.items(), ("all", tuple({row.speaker for row in rows}))):
        if own := [row for row in rows if row.speaker in group]:
            speakers = {row.speaker for row in own}
            plain, full = (change_of(pairs_to(own, model)) for model in (PLAIN, FULL))
            rates = f"{full.before:.1f} of {full.words:,} | {plain.before:.1f} | {plain.after:.1f}"
            told = f"{len(learned & speakers)} of {len(speakers)} | {rates} | {plain.difference} | {full.difference}"
            lines.append(f"| {name} | {told} |")
    return "\n".join(lines)


def pairs_to(rows: Sequence[Row], model: str) -> list[tuple[Row, Row]]:
    """Recordings of ``model``, and of the bundles that may have learned."""
    found = {(row.speaker, row.audio, row.model): row for row in rows}
    return [(found[row.speaker, row.audio, model], row) for row in rows if row.model == LEARNED]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a built-in model or a folder")
    parser.add_argument("budget", help="size such as 36MB")
    parser.add_argument("--data", type=Path, required=True, help="manifest")
    parser.add_argument("--speakers", nargs="+", required=True, help="names of the manifest")
    parser.add_argument("--noise", type=float, help="white noise so many decibels below every recording")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
