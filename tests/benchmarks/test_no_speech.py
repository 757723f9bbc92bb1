"""What the benchmark of no speech makes, keeps and counts."""

from pathlib import Path

import numpy as np
import pytest
from no_speech import SPEECH, Heard, fill, read, table
from silent_sounds import KINDS, LEVELS, silent_sounds

from myqasr_fx.runtime import NoSpeechRule, Transcript


class Talker:
    """Writes ``you`` for everything, and takes what is faint for nobody's words."""

    model_bytes = 0

    def __init__(self) -> None:
        self.heard = 0

    def transcribe(self, samples: np.ndarray) -> Transcript:
        self.heard += 1
        faint = float(np.abs(samples).max()) < 0.1
        scores = {"no_speech_probability": 0.9 if faint else 0.1, "log_probability": -0.5, "compression_ratio": 0.3}
        return Transcript("you", (1,), 1.0, **scores)


def test_sounds_are_the_same_for_a_seed_and_as_loud_as_they_say() -> None:
    sounds, again, other = (list(silent_sounds(seed)) for seed in (1, 1, 2))
    assert len(sounds) == len(KINDS) * len(LEVELS) == len({each.name for each in sounds})
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(sounds, again, strict=True))
    assert not any(np.array_equal(a.samples, b.samples) for a, b in zip(sounds, other, strict=True))
    for sound in sounds:
        level = 20 * np.log10(np.sqrt(np.mean(sound.samples.astype(np.float64) ** 2)))
        lowest = sound.level - (6 if sound.kind == "clicks" else 1)  # clicks are clipped where they are loud
        assert lowest < level < sound.level + 0.1, sound.name


def test_a_stopped_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("no_speech.find_spec", lambda name: None)
    audio = [((f"{index}.wav", SPEECH, "set"), np.full(160, index / 10, np.float32)) for index in range(1, 4)]
    path, talker = tmp_path / "rows.csv", Talker()
    fill(path, talker, audio[:2])  # type: ignore[arg-type]
    first = path.read_text()
    fill(path, talker, audio)  # type: ignore[arg-type]
    assert talker.heard == 3
    assert path.read_text().startswith(first)
    assert [(each.name, each.text, each.no_speech, each.frame) for each in read(path)] == [
        (f"{index}.wav", "you", 0.1, -1) for index in range(1, 4)
    ]


def test_speech_lost_and_sounds_silent_are_counted() -> None:
    def row(kind: str, text: str, no_speech: float, log_probability: float, frame: float) -> Heard:
        return Heard("a", kind, "set", text, no_speech, log_probability, 1.0, frame, frame)

    rows = [
        row(SPEECH, "one", 0.1, -0.1, 0.9),
        row(SPEECH, "two", 0.75, -1.5, 0.2),
        row(SPEECH, "", 0.9, -1.5, 0.0),
        row("sound 1", "you", 0.9, -0.5, 0.01),
        row("sound 2", "you", 0.7, -0.5, 0.01),
        row("sound 2", "", 0.1, -0.5, 0.9),
    ]
    lines = list(table(rows))
    assert lines[0] == "| rule | speech lost, of 2 | silent, of 1 and of 2 |"
    assert lines[2:6] == [
        "| the rule as it is | 1 | 1 and 1 |",
        "| Whisper's three bounds | 1 | 0 and 1 |",
        "| Whisper's, and above 0.8 | 1 | 1 and 1 |",
        "| silero-vad alone, 0.5 | 1 | 1 and 2 |",
    ]
    assert len(list(table([*rows, row(SPEECH, "one", 0.1, -0.1, -1)]))) == 5


@pytest.mark.parametrize(
    ("model", "tests", "speech"),
    [("whisper-tiny.en", None, "all {} English recordings"), ("whisper-base", 4, "the {} recordings in nine other")],
)
def test_the_page_shows_the_table_of_the_rows(model: str, tests: int | None, speech: str) -> None:
    root = Path(__file__).parents[2]
    rows = read(root / "benchmarks" / "results" / f"no_speech_{model}.csv")
    page = (root / "docs" / "wild.md").read_text(encoding="utf-8")
    assert "\n".join(list(table(rows))[: tests and tests + 2]) in page
    assert speech.format(sum(each.kind == SPEECH for each in rows)) in page
    assert not any(each.emptied(NoSpeechRule()) for each in rows if each.kind == SPEECH)
