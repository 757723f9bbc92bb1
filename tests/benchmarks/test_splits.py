"""The sets of recordings and what is refused."""

from pathlib import Path

import pytest
from splits import CALIBRATION, DEV, SPLITS, TEST, Splits, digest, spread

from myqasr_fx.evaluate import Utterance


@pytest.fixture
def utterances(tmp_path: Path) -> list[Utterance]:
    names = [CALIBRATION] * 5 + [DEV[0]] * 2 + [DEV[1]] + [TEST] * 3 + ["another"]
    made = []
    for index, name in enumerate(names):
        path = tmp_path / f"{index}.flac"
        path.write_bytes(f"recording {index}".encode())
        made.append(Utterance(path, "text", "en", {"dataset": name}))
    return made


def test_every_set_gets_its_recordings(utterances: list[Utterance]) -> None:
    splits = Splits.of(utterances, clips=2)
    assert splits.calibration == tuple(digest(utterances[i]) for i in (0, 2))
    assert splits.dev == tuple(digest(utterances[i]) for i in (1, 3, 4, 5, 6, 7))
    assert splits.test == tuple(digest(utterances[i]) for i in (8, 9, 10))


def test_equal_audio_in_two_sets_is_refused(utterances: list[Utterance]) -> None:
    utterances[8].audio.write_bytes(utterances[0].audio.read_bytes())
    with pytest.raises(SystemExit, match="overlap: 1 recordings"):
        Splits.of(utterances, clips=2)


def test_a_recording_of_another_set_is_refused(utterances: list[Utterance]) -> None:
    splits = Splits.of(utterances, clips=2)
    splits.require("test", utterances[8:11])
    with pytest.raises(SystemExit, match=r"1 recordings are not in the test set, for example 7\.flac"):
        splits.require("test", utterances[7:11])


def test_the_file_is_read_as_it_was_written(utterances: list[Utterance], tmp_path: Path) -> None:
    splits = Splits.of(utterances, clips=2)
    splits.write(tmp_path / "splits.json")
    assert Splits.read(tmp_path / "splits.json") == splits


def test_the_pinned_sets_do_not_overlap() -> None:
    pinned = Splits.read(SPLITS)
    assert (len(pinned.calibration), len(pinned.dev), len(pinned.test)) == (32, 252, 60)


def test_all_are_taken_once_where_there_are_too_few() -> None:
    utterances = [Utterance(Path(f"{index}.flac"), "text") for index in range(20)]
    assert spread(utterances, 32) == utterances
    assert [u.name for u in spread(utterances, 3)] == ["0.flac", "6.flac", "13.flac"]
