r"""Does a small model hear its user better when it learns a larger model's texts of the user's recordings?

    python benchmarks/adapt_teacher.py whisper-tiny.en whisper-base --data ../shared/data/speech/manifest.jsonl \
        --texts build/base.jsonl

At full precision, without labels: of each speaker the model learns what the teacher writes for one half of the
recordings (``adapt_texts.py``) and writes the other half, in several settings; then it is as it came again. Writes
``OUT/adapt_teacher_MODEL.csv``, a row a setting, speaker, half and recording, and goes on where it stopped;
``adapt_teacher_tables.py`` prints the tables of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from adapt_learning import CONTEXT, Learner, Setting, learn, weights_kept
from adapt_pairs import LEFT_ALONE
from adapt_teacher_tables import PLAN, TaughtRow, tables
from adapt_texts import Taught, taught
from rows_file import read_rows, write_rows
from splits import spread

from myqasr_fx.acceptance.compare import word_edits
from myqasr_fx.audio import load_audio
from myqasr_fx.evaluate import Utterance, read_manifest
from myqasr_fx.evaluate.wer import normalize, word_errors
from myqasr_fx.models.load import load_model
from myqasr_fx.runtime import Transcript

SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("norms and biases", entropy=0.0, text=1.0, epochs=5),
        Setting("norms and biases, changed audio", entropy=0.0, text=1.0, changed=True, epochs=5),
        Setting("norms and biases, changed audio, rate 1e-4", entropy=0.0, text=1.0, changed=True, rate=1e-4, epochs=5),
        Setting("all weights, rate 1e-5", entropy=0.0, text=1.0, everything=True, rate=1e-5, epochs=5),
        Setting("all weights, rate 3e-5", entropy=0.0, text=1.0, everything=True, rate=3e-5, epochs=5),
    )
}
MOST = 26
"""Recordings of a speaker, evenly spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """A recording (T,) and what the teacher writes for it."""

    utterance: Utterance
    samples: np.ndarray
    taught: Taught


def main() -> None:
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"adapt_teacher_{Path(options.model).name}.csv"
    rows, speech = read_rows(TaughtRow, path), load_model(options.model)
    learner, utterances = Learner(speech, speech.capture()), read_manifest(options.data, {}, None)
    for speaker, half, setting in PLAN:
        if any((row.speaker, row.half, row.setting) == (speaker, half, setting) for row in rows):
            continue
        own = spread([u for u in utterances if u.fields.get("speaker") == speaker], MOST)
        texts = taught(options.teacher, own, options.texts)
        rows += tried(learner, lessons(own, texts), half, setting)
        write_rows(TaughtRow, path, rows)
    print(tables(rows))


def lessons(own: Sequence[Utterance], texts: dict[str, Taught]) -> list[Lesson]:
    """A speaker's recordings in a seeded order."""
    ordered = [own[index] for index in np.random.default_rng(0).permutation(len(own))]
    return [Lesson(each, load_audio(each.audio).samples, texts[each.name]) for each in ordered]


def tried(learner: Learner, given: Sequence[Lesson], half: int, setting: str) -> list[TaughtRow]:
    """Learns from one half, hears the other; the model is as it came before and after."""
    own = [lesson for lesson in given[half::2] if lesson.taught.held(lesson.utterance.lang)]
    others = given[1 - half :: 2]
    with weights_kept(learner.program):
        if setting != LEFT_ALONE:
            said = [lesson.taught.transcript(learner.speech) for lesson in own]
            learn(learner, [lesson.samples for lesson in own], said, SETTINGS[setting])
        texts = [said for each in others for said in learner.runtime(CONTEXT).transcribe_batch([each.samples])]
        nats = [_nats(learner, each) for each in others]
    found = zip(others, texts, nats, strict=True)
    return [_row(setting, half, len(own), lesson, said, lost) for lesson, said, lost in found]


def _nats(learner: Learner, lesson: Lesson) -> tuple[float, int]:
    """Of the teacher's text, summed, and how many tokens it is."""
    said = lesson.taught.transcript(learner.speech)
    own = learner.own(lesson.samples, said)
    return -float(own.expected.gather(-1, own.targets[:, None]).sum()), len(own.targets)


def _row(setting: str, half: int, learned: int, lesson: Lesson, said: Transcript, nats: tuple[float, int]) -> TaughtRow:
    utterance = lesson.utterance
    texts = (utterance.text, lesson.taught.text, said.text)
    reference, teacher, text = (normalize(each, utterance.lang) for each in texts)
    errors, wrong, turns = word_errors(reference, text), word_errors(reference, teacher), word_edits(teacher, text)
    return TaughtRow(
        *(setting, str(utterance.fields["dataset"]), str(utterance.fields["speaker"]), half, utterance.name),
        *(learned, errors.errors, errors.total, wrong.errors, round(nats[0], 4), nats[1]),
        *(turns.substitutions + turns.deletions + turns.insertions, turns.words),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a built-in model or a folder")
    parser.add_argument("teacher", help="a larger one")
    parser.add_argument("--data", type=Path, required=True, help="manifest")
    parser.add_argument("--texts", type=Path, required=True, help="where the teacher's texts are kept")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
