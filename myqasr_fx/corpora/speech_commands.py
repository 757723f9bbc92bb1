"""Speech Commands v2: ``WORD/SPEAKER_nohash_N.wav``, ``validation_list.txt`` and ``testing_list.txt``.

Source: P. Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition", 2018; its README.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from myqasr_fx.corpora.layout import read_lines, utterance
from myqasr_fx.errors import EvaluationError
from myqasr_fx.evaluate.manifest import Utterance

LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}
"""File that lists a split; what no list names is the split ``train``."""


@dataclass(frozen=True, slots=True)
class SpeechCommands:
    """The unpacked archive; the text is the word, background noise is left out, gender is not told."""

    name: str = "speech_commands"
    marks: str = "testing_list.txt"

    def matches(self, folder: Path) -> bool:
        """See :class:`~myqasr_fx.corpora.layout.CorpusLayout`."""
        return (folder / "testing_list.txt").is_file()

    def read(self, folder: Path) -> Iterator[Utterance]:
        """See :class:`~myqasr_fx.corpora.layout.CorpusLayout`."""
        splits = {
            line.strip(): split
            for file, split in LISTS.items()
            for line in (read_lines(folder / file) if (folder / file).is_file() else ())
        }
        for audio in sorted(folder.glob("*/*.wav")):
            word = audio.parent.name
            if word.startswith("_"):
                continue
            speaker, mark, _ = audio.stem.partition("_nohash_")
            if not mark:
                raise EvaluationError(f"{audio}: expected a name such as SPEAKER_nohash_0.wav")
            what = {"lang": "en", "speaker": speaker, "gender": None, "dataset": self.name}
            yield utterance(folder, audio, word, **what, split=splits.get(f"{word}/{audio.name}", "train"))
