"""A small model learns a larger one's texts and is as it came; texts are filtered; tables pair recordings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from adapt_learning import Learner, Setting, learn, parameters_of, weights_kept
from adapt_pairs import LEFT_ALONE, cells_of, improves, pairs_of
from adapt_teacher import Lesson, tried
from adapt_teacher_tables import CHOSEN, MEASURES, TaughtRow, measures_table, words_table
from adapt_texts import Taught, taught

from myqasr_fx.evaluate import Utterance
from myqasr_fx.models.speech_model import SpeechModel

TEXT = Taught("a.flac", "the cat sat down", -0.3, 1.0, "the cat sat town")
ROW = TaughtRow(LEFT_ALONE, "set", "2327", 0, "a.flac", 8, 4, 10, 2, 6.0, 12, 5, 10)


@pytest.fixture
def learner(make_speech_model) -> Learner:
    speech: SpeechModel = make_speech_model("whisper-smallest")
    return Learner(speech, speech.capture())


def clips() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [np.asarray(0.1 * generator.standard_normal(1600 * n), np.float32) for n in (3, 4, 5, 6)]


def test_a_text_is_held_unless_something_speaks_against_it() -> None:
    assert TEXT.held("en")
    against = ({"text": "", "other": ""}, {"log_probability": -1.1}, {"compression_ratio": 2.5}, {"other": "mouse"})
    assert not any(replace(TEXT, **change).held("en") for change in against)


def test_texts_are_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(
        '{"audio": "a.flac", "text": "one", "log_probability": -0.5, "compression_ratio": 1.0, "other": "one"}\n'
    )
    wanted = Utterance(Path("a.flac"), "one", "en", {"audio": "a.flac"})
    assert taught("no such model", [wanted], path) == {"a.flac": Taught("a.flac", "one", -0.5, 1.0, "one")}


@pytest.mark.parametrize("everything", [False, True])
def test_a_text_is_learned(learner: Learner, everything: bool) -> None:
    said = TEXT.transcript(learner.speech)
    assert learner.speech.tokenizer.decode(said.tokens) == " the cat sat down"
    setting = Setting("", entropy=0.0, text=1.0, everything=everything, rate=1e-3)
    came = {name: tensor.detach().clone() for name, tensor in parameters_of(learner.program).items()}
    with weights_kept(learner.program):
        before = nats(learner, said)
        learn(learner, clips()[:1], [said], setting)
        moved = {name for name, tensor in parameters_of(learner.program).items() if not torch.equal(tensor, came[name])}
        assert nats(learner, said) < before
    assert any("proj" in name and name.endswith("weight") for name in moved) == everything
    assert all(torch.equal(tensor, came[name]) for name, tensor in parameters_of(learner.program).items())


def nats(learner: Learner, said) -> float:
    own = learner.own(clips()[0], said)
    return -float(own.expected.gather(-1, own.targets[:, None]).mean())


def test_a_half_is_tried_on_the_other(learner: Learner) -> None:
    fields = {"dataset": "set", "speaker": "x"}
    given = [Lesson(Utterance(Path(f"{n}.wav"), "a b", "en", fields), each, TEXT) for n, each in enumerate(clips())]
    alone, learned = (tried(learner, given, 1, setting) for setting in (LEFT_ALONE, CHOSEN))
    assert [row.audio for row in learned] == ["0.wav", "2.wav"]
    assert all((row.learned, row.words, row.teacher_errors, row.half) == (2, 2, 4, 1) for row in learned)
    assert sum(row.nats for row in learned) < sum(row.nats for row in alone)


def rows() -> list[TaughtRow]:
    """Two speakers of four recordings; learning makes the first better by one word each, the second worse."""
    found = [replace(ROW, speaker=speaker, audio=f"{n}.flac") for speaker in ("2327", "2438") for n in range(4)]
    changes = {"2327": (-1, -2), "2438": (+1, +2)}
    learned = [
        replace(row, setting=CHOSEN, errors=row.errors + words, against=row.against + turned, nats=3.0)
        for row, (words, turned) in ((row, changes[row.speaker]) for row in found)
    ]
    return found + learned


def test_words_before_and_after() -> None:
    line = f"| {CHOSEN} | others | 20.0 | 40.0 of 80 | 40.0 | +0.0 [-10.0, +10.0] | 1, 1 |"
    assert words_table(rows()).splitlines()[2:] == [line]


def test_a_measure_adopts_what_it_shows_to_be_better() -> None:
    cells, (lost, against) = cells_of(pairs_of(rows(), CHOSEN)), MEASURES.values()
    assert [improves(cell, lost) for cell in cells] == [True, True]
    assert [improves(cell, against) for cell in cells] == [True, False]
    told = measures_table(rows())
    assert told.startswith("Of 2 models 1 make fewer errors than before and 1 more.")
    assert "| nats of the teacher's text, a token | 2 | 1 | 1 | +0.0 |  |" in told
    assert "| words written differently from the teacher, a word | 1 | 1 | 0 | -10.0 | +10.0 |" in told
