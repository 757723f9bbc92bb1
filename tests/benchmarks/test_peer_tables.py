"""Tables of systems on the same utterances."""

import csv
from pathlib import Path

import pytest
from peer_tables import SystemScore, TranscriptScore, read_scores, write_pairs, write_systems, write_utterances

from myqasr_fx.evaluate import ErrorCount


def score(name: str, kind: str, size: int, *errors: int) -> SystemScore:
    rows = tuple(TranscriptScore(f"{i}.flac", "text", ErrorCount(count, 10)) for i, count in enumerate(errors))
    return SystemScore(name, kind, size, rows)


@pytest.fixture
def scores() -> list[SystemScore]:
    return [
        score("float", "full", 400, 1, 0, 2),
        score("small", "ours", 50, 2, 1, 3),
        score("q8", "peer", 100, 1, 0, 2),
    ]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_loss_is_against_full_precision(scores: list[SystemScore], tmp_path: Path) -> None:
    write_systems(tmp_path / "systems.csv", scores)
    full, small, peer = read(tmp_path / "systems.csv")
    assert (full["wer"], full["loss"]) == ("0.10000", "0.00000")
    # One error more in every utterance: no resampling can change the loss.
    assert (small["loss"], small["loss_low"], small["loss_high"]) == ("0.10000",) * 3
    assert (peer["bytes"], peer["loss_high"]) == ("100", "0.00000")


def test_each_of_ours_meets_each_peer(scores: list[SystemScore], tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.csv", scores)
    (pair,) = read(tmp_path / "pairs.csv")
    assert (pair["ours"], pair["peer"], pair["difference"], pair["difference_low"]) == (
        "small",
        "q8",
        "0.10000",
        "0.10000",
    )


def test_what_was_written_is_read_again(scores: list[SystemScore], tmp_path: Path) -> None:
    systems, utterances = tmp_path / "systems.csv", tmp_path / "utterances.csv"
    write_systems(systems, scores)
    write_utterances(utterances, scores)
    assert read_scores(systems, utterances) == scores
