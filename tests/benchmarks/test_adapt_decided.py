"""What a third decides is counted on another; tables draw speakers, then recordings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from adapt_decided import Heard as Changed
from adapt_decided import measured, tried
from adapt_decided_tables import OTHERS, Row, tables, trials_of
from adapt_files import FULL, LEARNED, PLAIN, shared_out, table
from adapt_files import Row as FileRow
from rows_file import read_rows

from myqasr_fx.evaluate import Utterance
from myqasr_fx.models.prepared import prepare
from myqasr_fx.runtime.torch_runner import torch_runtime

ROW = Row("set", "en", "1407", 0, 1, "a.flac", 10, 4, 4, 12, 12, 6.0, 5.0, 3.0, 3.0)


def rows() -> list[Row]:
    """Two speakers of two recordings in each third; the first gets better by a word each and less divergent."""
    found = []
    for speaker, words, nats in (("1407", -1, -1.0), ("kerstin", 1, 1.0)):
        for role in OTHERS:
            found += [
                replace(
                    ROW,
                    speaker=speaker,
                    role=role,
                    audio=f"{role}{n}",
                    errors_after=ROW.errors + words,
                    apart_after=ROW.apart + nats,
                )
                for n in range(2)
            ]
    return found


def test_every_third_decides_once_for_the_other() -> None:
    trials = trials_of(rows())
    assert [(trial.speaker, trial.adopted, trial.added) for trial in trials] == [
        *[("1407", True, -2)] * 2,
        *[("kerstin", False, 2)] * 2,
    ]
    assert all({row.role for row in trial.decide} != {row.role for row in trial.count} for trial in trials)


def test_more_positions_do_not_make_a_model_better() -> None:
    """What the model that has learned writes may be longer: divergence counts a position."""
    longer = [replace(row, positions_after=24, apart_after=6.0) for row in rows() if row.speaker == "1407"]
    assert not any(trial.adopted for trial in trials_of(longer))


def test_the_table_tells_the_adopted_from_those_left_out() -> None:
    assert tables(rows()).splitlines()[2:] == [
        "| with an accent | 2 | all | 40.0 of 40 | 30.0 | -10.0 [-10.0, -10.0] | 2, 0 |",
        "| with an accent | 2 | adopted | 40.0 of 40 | 30.0 | -10.0 [-10.0, -10.0] | 2, 0 |",
        "| other languages | 2 | all | 40.0 of 40 | 50.0 | +10.0 [+10.0, +10.0] | 0, 2 |",
        "| other languages | 2 | left out | 40.0 of 40 | 50.0 | +10.0 [+10.0, +10.0] | 0, 2 |",
        "| all | 4 | all | 40.0 of 80 | 40.0 | +0.0 [-10.0, +10.0] | 2, 2 |",
        "| all | 2 | adopted | 40.0 of 40 | 30.0 | -10.0 [-10.0, -10.0] | 2, 0 |",
        "| all | 2 | left out | 40.0 of 40 | 50.0 | +10.0 [+10.0, +10.0] | 0, 2 |",
    ]


def test_a_third_teaches_and_the_others_are_heard(make_speech_model) -> None:
    prepared = prepare(make_speech_model("whisper-multilingual"))
    runtime, spoken = torch_runtime(prepared.speech, prepared.program), []
    for n in range(6):
        samples = np.random.default_rng(n).normal(0, 0.1, 8000).astype(np.float32)
        (said,) = runtime.transcribe_batch([samples], "en")
        utterance = Utterance(Path(f"{n}.wav"), "a b", "en", {"dataset": "set", "speaker": "x"})
        spoken.append(Changed(utterance, samples, (samples, samples[:7000]), said))
    before = [measured(prepared, item, item.said) for item in spoken]
    found = tried(prepared, spoken, before, 1)
    assert [(row.audio, row.role) for row in found] == [("0.wav", 2), ("2.wav", 1), ("3.wav", 2), ("5.wav", 1)]
    assert all(row.apart >= 0 and row.entropy_after < row.entropy for row in found)


def test_files_are_counted_on_recordings_that_were_not_given() -> None:
    utterances = [Utterance(Path(f"{n}.wav"), "a", "en", {"speaker": "x"}) for n in range(20)]
    given, counted = shared_out(utterances, "x")
    assert len(given) == 12 and len(counted) == 8 and not set(map(str, given)) & set(map(str, counted))


def test_the_table_of_files_pairs_recordings() -> None:
    made = [(FULL, 0, 4), (PLAIN, 100, 5), (LEARNED, 100, 3)]
    found = [
        FileRow("1407", model, size, int(model == LEARNED), f"{n}", errors, 10)
        for model, size, errors in made
        for n in range(3)
    ]
    assert table(found).splitlines()[2] == (
        "| with an accent | 1 of 1 | 40.0 of 30 | 50.0 | 30.0 | -20.0 [-20.0, -20.0] | -10.0 [-10.0, -10.0] |"
    )


def test_the_page_shows_what_the_rows_say() -> None:
    folder = Path(__file__).parents[2] / "benchmarks"
    page = (folder / "README.md").read_text(encoding="utf-8")
    block = page.partition("### Kept where it helps")[2].partition("| --- |")[2].partition("\n\n")[0]
    shown = [line for line in block.splitlines() if line.startswith("| ")]
    made = [
        f"| {model} {line}"
        for model in ("base", "tiny.en")
        for line in tables(read_rows(Row, folder / "results" / f"adapt_decided_whisper-{model}.csv")).splitlines()[2:]
    ]
    assert len(shown) == 14 and set(shown) <= set(made)
