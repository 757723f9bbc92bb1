from pathlib import Path

import pytest
from word_times import Row, Timed, recordings, shifts, table


def row(*words: tuple[float, float, str], audio: str = "a", text: str = "x") -> Row:
    timed = tuple(Timed(*word) for word in words)
    return Row(audio, text, timed[:1], timed)


def test_shifts_are_of_words_that_both_wrote() -> None:
    one = row((0.0, 1.0, "So"), (1.0, 2.0, "it"), (2.0, 3.0, "is."))
    other = row((0.1, 1.0, "so"), (1.0, 1.5, "that"), (2.04, 3.2, "is"), text="y")
    found = shifts([one], [other])
    assert found.starts.tolist() == pytest.approx([0.1, 0.04]) and found.ends.tolist() == pytest.approx([0.0, 0.2])
    assert (found.texts, found.segments.tolist()) == (0, pytest.approx([0.1, 0.0]))
    (line,) = table([one], {"b": [other]}).splitlines()[2:]
    assert line == "| b | 0 of 1 | 2 of 3 | 70 ms, 70 ms, 50.0% | 100 ms, 100 ms, 50.0% | 50 ms, 50 ms |"
    assert "none" in table([row()], {"b": [row()]})


def test_other_recordings_are_not_compared() -> None:
    with pytest.raises(SystemExit, match="hear the same recordings"):
        shifts([row()], [row(audio="b")])


def test_recordings_of_a_manifest(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(f'{{"audio": "{n}.wav", "lang": "{"de" if n % 2 else "en"}"}}\n' for n in range(9)))
    assert [Path(audio).name for audio in recordings(manifest, ["lang=en"], 2, 2)] == ["0.wav", "4.wav"]
