"""FLEURS: ``LOCALE/SPLIT.tsv`` without a header and ``LOCALE/audio/SPLIT/FILE.wav``; several locales side by side.

Source: A. Conneau et al., "FLEURS: Few-shot Learning Evaluation of Universal Representations of Speech", 2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from myqasr_fx.corpora.layout import columns, gender_of, read_lines, utterance
from myqasr_fx.evaluate.manifest import Utterance

SPLITS = ("train", "dev", "test")
COLUMNS = ("id", "file", "raw transcription", "transcription", "characters", "samples", "gender")

_CODES = {"cmn": "zh", "fil": "tl", "nb": "no"}
"""Where the locale's first part is not the code that multilingual Whisper is told."""


@dataclass(frozen=True, slots=True)
class Fleurs:
    """A locale's folder such as ``de_de``, or a folder of them; speakers are not told."""

    name: str = "fleurs"
    marks: str = "LOCALE/test.tsv with LOCALE/audio/"

    def matches(self, folder: Path) -> bool:
        """See :class:`~myqasr_fx.corpora.layout.CorpusLayout`."""
        return any(True for _ in _locales(folder))

    def read(self, folder: Path) -> Iterator[Utterance]:
        """See :class:`~myqasr_fx.corpora.layout.CorpusLayout`."""
        for locale in _locales(folder):
            code = locale.resolve().name.partition("_")[0]
            for split in SPLITS:
                table = locale / f"{split}.tsv"
                for number, line in enumerate(read_lines(table) if table.is_file() else (), start=1):
                    _, file, _, text, _, _, gender = columns(table, number, line, COLUMNS)
                    what = {"lang": _CODES.get(code, code), "gender": gender_of(gender), "dataset": self.name}
                    audio = locale / "audio" / split / file
                    yield utterance(folder, audio, text, **what, speaker=None, split=split)


def _locales(folder: Path) -> Iterator[Path]:
    for locale in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        if (locale / "audio").is_dir() and any((locale / f"{split}.tsv").is_file() for split in SPLITS):
            yield locale
