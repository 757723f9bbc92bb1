r"""Does a model hear its user better when it learns from the user's recordings, without labels, before quantization?

    python benchmarks/adapt.py whisper-tiny.en --data ../shared/data/speech/manifest.jsonl
    python benchmarks/adapt.py ../shared/models/w2v2-digits --data ../shared/data/digits/manifest.jsonl --noise 10

At full precision: of each speaker the model learns from one half of the recordings (``adapt_learning.py``) and writes
the other half, in several settings, then it is as it came again. Beside the word errors stand measures that need no
labels, of which one would have to tell whether the model got better. Writes ``OUT/adapt_MODEL.csv``, a row a setting,
speaker, half and recording, and goes on where it stopped; ``adapt_tables.py`` prints the tables of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from adapt_learning import CONTEXT, Learner, Setting, learn, weights_kept
from adapt_pairs import LEFT_ALONE
from adapt_tables import CTC_CASES, WHISPER_CASES, Row, tables
from rows_file import read_rows, write_rows
from splits import spread

from myqasr_fx.acceptance.compare import word_edits
from myqasr_fx.adapt.changed_audio import noisy
from myqasr_fx.audio import load_audio
from myqasr_fx.evaluate import Utterance, read_manifest
from myqasr_fx.evaluate.wer import normalize, normalize_plain, word_errors
from myqasr_fx.models.load import load_model
from myqasr_fx.runtime import Transcript

SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("entropy"),
        Setting("entropy, changed audio", changed=True),
        Setting("consistency", entropy=0.0, consistency=1.0, changed=True),
    )
}
MOST = 32
"""Recordings of a speaker, evenly spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A recording, and what the model as it came writes for it."""

    utterance: Utterance
    samples: np.ndarray
    said: Transcript


def main() -> None:
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    noise = "" if options.noise is None else f"_{options.noise:g}dB"
    path = options.out / f"adapt_{Path(options.model).name}{noise}.csv"
    rows, speech = read_rows(Row, path), load_model(options.model)
    learner, utterances = Learner(speech, speech.capture()), read_manifest(options.data, {}, None)
    for case in WHISPER_CASES if speech.generation else CTC_CASES:
        for speaker in case.speakers:
            done = {(row.half, row.setting) for row in rows if row.speaker == speaker}
            wanted = [(half, setting) for half in case.halves for setting in case.settings]
            left = [each for each in wanted if each not in done]
            spoken = heard(learner, utterances, speaker, options.noise) if left else []
            for half, setting in left:
                rows += tried(learner, spoken, half, setting)
                write_rows(Row, path, rows)
    print(tables(rows))


def heard(learner: Learner, utterances: Sequence[Utterance], speaker: str, noise: float | None) -> list[Heard]:
    """A speaker's recordings in a seeded order, all with ``noise`` so many decibels below them."""
    own = [u for u in utterances if u.fields.get("speaker") == speaker and u.fields.get("split") in (None, "test")]
    chosen, generator = spread(own, MOST), np.random.default_rng(0)
    ordered = [chosen[index] for index in generator.permutation(len(chosen))]
    samples = [load_audio(utterance.audio).samples for utterance in ordered]
    if noise is not None:
        samples = [noisy(each, noise, generator) for each in samples]
    texts = [said for each in samples for said in learner.runtime().transcribe_batch([each])]
    return [Heard(*found) for found in zip(ordered, samples, texts, strict=True)]


def tried(learner: Learner, spoken: Sequence[Heard], half: int, setting: str) -> list[Row]:
    """Learns from one half, hears the other; the model is as it came before and after."""
    own, others, generator = spoken[half::2], spoken[1 - half :: 2], np.random.default_rng(7)
    changed, runtime = [learner.changed(item.samples, generator) for item in others], learner.runtime()
    texts = [item.said for item in others]
    with weights_kept(learner.program):
        if setting != LEFT_ALONE:
            learn(learner, [item.samples for item in own], [item.said for item in own], SETTINGS[setting])
            texts = [said for item in others for said in runtime.transcribe_batch([item.samples])]
        heard_now = zip(others, texts, changed, strict=True)
        now = [measured(learner, item.samples, said, other) for item, said, other in heard_now]
    return [row_of(learner, (setting, half), *pair) for pair in zip(others, now, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a model makes of a recording: its text, summed entropy, positions; and of the same one changed."""

    said: Transcript
    entropy: float
    positions: int
    apart: float
    turned: Transcript


def measured(learner: Learner, samples: np.ndarray, said: Transcript, other: np.ndarray) -> Measured:
    """With the weights as they are now; ``other`` is the recording changed."""
    (turned,) = learner.runtime(CONTEXT).transcribe_batch([other])
    with torch.no_grad():
        found, beside = (learner.log_probabilities(each, said) for each in (samples, other))
    entropy, apart = -(found.exp() * found).sum(), (found.exp() * (found - beside)).sum()
    return Measured(said, float(entropy), len(found), float(apart), turned)


def row_of(learner: Learner, case: tuple[str, int], item: Heard, now: Measured) -> Row:
    """One recording."""
    normalizer, utterance = normalize if learner.speech.generation else normalize_plain, item.utterance
    texts = (utterance.text, now.said.text, now.turned.text)
    reference, text, turned = (normalizer(each, utterance.lang) for each in texts)
    errors, turns = word_errors(reference, text), word_edits(text, turned)
    return Row(
        *(case[0], str(utterance.fields["dataset"]), str(utterance.fields["speaker"]), case[1], utterance.name),
        *(errors.errors, errors.total, now.positions),
        *(round(now.entropy, 4), round(now.apart, 4)),
        *(turns.words, turns.substitutions + turns.deletions + turns.insertions),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a built-in model or a folder")
    parser.add_argument("--data", type=Path, required=True, help="manifest")
    parser.add_argument("--noise", type=float, help="white noise so many decibels below every recording")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
