"""Learning without labels makes a model surer and leaves no trace; tables pair recordings and draw speakers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from adapt import SETTINGS, Heard, tried
from adapt_learning import Learner, learn, parameters_of, weights_kept
from adapt_pairs import LEFT_ALONE, cells_of, improves, pairs_of
from adapt_tables import MEASURES, Row, measures_table, words_table

from myqasr_fx.evaluate import Utterance
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime.torch_runner import torch_runtime

ROW = Row(LEFT_ALONE, "set", "1407", 0, "a.flac", 4, 10, 12, 6.0, 3.0, 10, 5)


def rows() -> list[Row]:
    """Two speakers of four recordings; the first gets better by one word each, the second worse."""
    found = [replace(ROW, speaker=speaker, audio=f"{index}.flac") for speaker in ("1407", "2327") for index in range(4)]
    changes = {"1407": (-1, -2.0), "2327": (+1, +2.0)}
    learned = [
        replace(row, setting="entropy", errors=row.errors + words, apart=row.apart + nats, entropy=3.0)
        for row, (words, nats) in ((row, changes[row.speaker]) for row in found)
    ]
    return found + learned[::-1]  # in any order


def test_words_before_and_after() -> None:
    assert words_table(rows()).splitlines()[2:] == [
        "| entropy | with an accent | 40.0 of 80 | 40.0 | +0.0 [-10.0, +10.0] |",
    ]
    first = [row for row in rows() if row.speaker == "1407"]
    assert (
        words_table(first).splitlines()[2] == "| entropy | with an accent | 40.0 of 40 | 30.0 | -10.0 [-10.0, -10.0] |"
    )


def test_a_measure_adopts_what_it_shows_to_be_better() -> None:
    cells = cells_of(pairs_of(rows(), "entropy"))
    entropy, apart = list(MEASURES.values())[:2]
    assert [improves(cell, entropy) for cell in cells] == [True, True]
    assert [improves(cell, apart) for cell in cells] == [False, True]  # in the order of the learned rows
    told = measures_table(rows())
    assert told.startswith("Of 2 models 1 make fewer errors than before and 1 more.")
    assert "| entropy, nats a position | 2 | 1 | 1 | +0.0 |  |" in told
    assert "| divergence on changed audio, nats a position | 1 | 1 | 0 | -10.0 | +10.0 |" in told


def clips() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [np.asarray(0.1 * generator.standard_normal(1600 * n), np.float32) for n in (3, 4, 5, 6)]


@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
@pytest.mark.parametrize("setting", ["entropy", "consistency"])
def test_a_model_learns_and_is_as_it_came(make_speech_model, name: str, setting: str) -> None:
    speech: SpeechModel = make_speech_model(name)
    learner = Learner(speech, speech.capture())
    said = torch_runtime(speech, learner.program).transcribe_batch(clips()[:1])
    came = {key: tensor.detach().clone() for key, tensor in parameters_of(learner.program).items()}
    sample = clips()[0]
    with weights_kept(learner.program):
        before = learner.own(sample, said[0]).expected
        learn(learner, [sample], said, SETTINGS[setting])
        after = learner.own(sample, said[0]).expected
        moved = {key for key, tensor in parameters_of(learner.program).items() if not torch.equal(tensor, came[key])}
    assert moved and all("norm" in key or key.endswith("bias") for key in moved)
    if setting == "entropy" and name.startswith("whisper"):
        assert entropy(after) < entropy(before)
    assert all(torch.equal(tensor, came[key]) for key, tensor in parameters_of(learner.program).items())
    assert not any(tensor.requires_grad for tensor in parameters_of(learner.program).values())


def entropy(found: torch.Tensor) -> float:
    return float(-(found.exp() * found).sum(-1).mean())


def test_a_half_is_tried_on_the_other(make_speech_model) -> None:
    speech: SpeechModel = make_speech_model("smallest")
    learner = Learner(speech, speech.capture())
    runtime = torch_runtime(speech, learner.program)
    spoken = [
        Heard(Utterance(Path(f"{n}.wav"), "A B", "en", {"dataset": "set", "speaker": "x"}), each, said)
        for n, each in enumerate(clips())
        for said in runtime.transcribe_batch([each])
    ]
    found = tried(learner, spoken, 1, LEFT_ALONE)
    assert [row.audio for row in found] == ["0.wav", "2.wav"]
    assert all(row.words == 2 and row.half == 1 for row in found)
